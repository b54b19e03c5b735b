// eval: chooses the threshold on validation, then scores every labelled sample on the grid and at native size, in
// pixels and in objects. The body is in compute/eval_body.cpp.
#include "stages/eval.h"

#include <fmt/format.h>

#include <algorithm>

#include "stages/compute_library.h"
#include "stages/kinds.h"
#include "stages/resize_modes.h"
#include "stages/training/decoders.h"
#include "stages/training/name_table.h"
#include "stages/training/turns.h"

namespace penstock::stages {
namespace {

std::vector<std::string> decoder_names() {
  std::vector<std::string> names = names_of(decoder_rules());
  names.insert(names.begin(), {"auto", "validation"});
  return names;
}

// A decoder finds what it needs among what the network learns, and a threshold of seeds a decoder that has some.
void check_decoder(const pipeline::CheckView& view, pipeline::Problems& problems) {
  std::string decoder = view.values.at("decoder");
  if (decoder == "validation") return;  // whatever there is to choose from
  const auto targets = view.upstream("train", "targets");
  if (decoder == "auto" && !targets) return;
  if (decoder == "auto") decoder = usual_decoder(*targets);
  const DecoderRule& rule = decoder_rule(decoder);
  if (targets && !can_decode(rule, targets->get<std::vector<std::string>>())) {
    problems.push_back({"decoder",
                        fmt::format("\"{}\" needs a network that learns \"{}\": add it to train.targets, or choose "
                                    "another decoder",
                                    decoder, rule.target),
                        "train", "targets"});
  }
  if (!rule.has_seeds && view.values.at("seed_threshold").is_number())
    problems.push_back({"seed_threshold", fmt::format("the decoder \"{}\" has no seeds: take it out", decoder)});
}

// Samples of one grid go through the network whole.
void check_tile(const pipeline::CheckView& view, pipeline::Problems& problems) {
  if (view.values.at("tile").is_string()) return;
  const auto mode = view.upstream("resize", "mode");
  if (!mode || resize_mode(mode->get<std::string>()).own_size) return;
  problems.push_back(
      {"tile",
       "tile has no effect where resize brings every picture to one size: take it out, or set resize.mode "
       "to \"native\"",
       "resize", "mode"});
}

void check_eval(const pipeline::CheckView& view, pipeline::Problems& problems) {
  if (view.values.at("subsets").empty())
    problems.push_back({"subsets", "subsets names none, so that nothing would be scored; \"test\" is the least"});
  check_decoder(view, problems);
  check_tile(view, problems);
}

}  // namespace

void EvalParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("subsets", subsets,
        {.help =
             "which samples are predicted and scored (unlabelled ones only predicted); train is most of them, so that "
             "without it a sweep is done sooner; what is chosen is chosen on validation in any case",
         .choices = evaluated_subsets,
         .as_before = pipeline::Value(evaluated_subsets)});
  visit(
      "threshold", threshold,
      {.help = "probability above which a pixel is foreground; \"objects\": the one whose objects have the best mAP on "
               "validation; \"validation\": that too where objects grow from seeds, else the one with the best Dice",
       .minimum = 0,
       .maximum = 1,
       .choices = {"validation", "objects"}});
  visit("decoder", decoder,
        {.help =
             "how objects are made of probabilities: " + help_of(decoder_rules()) +
             ", auto (directions where train.targets has \"horizontal\", else watershed where it has \"border\", else "
             "interior where it has \"interior\", else hills where it has \"distance\", else components), validation "
             "(the one with the best mAP there, of all that the targets allow)",
         .choices = decoder_names(),
         .as_before = "auto"});
  visit("seed_threshold", seed_threshold,
        {.help = "of decoders with seeds; \"validation\": the one with the best mAP there",
         .minimum = 0,
         .maximum = 1,
         .choices = {"validation"},
         .as_before = "validation"});
  visit("minimum_area", minimum_area,
        {.help =
             "smaller predicted objects are removed, native pixels; \"validation\": the limit with the best mAP there",
         .minimum = 0,
         .choices = {"validation"}});
  visit("holes", holes,
        {.help = "background inside of an object, with no other object in it: keep, fill (it becomes the object's), "
                 "validation (what has the better mAP there)",
         .choices = {"keep", "fill", "validation"},
         .as_before = "keep"});
  visit("turns", turns,
        {.help = "in which ways the model looks at each tile, the answers being averaged: " + help_of(turn_rules()),
         .choices = names_of(turn_rules()),
         .as_before = "none"});
  visit("tile", tile,
        {.help =
             "in what pieces the model looks at samples of their own size, in eval and predict: \"crop\", as large as "
             "train.crop, or a number of pixels that their sides have at most, so that a smaller picture is one "
             "piece; larger ones overlap less and take more memory",
         .minimum = smallest_tile,
         .maximum = largest_tile,
         .choices = {"crop"},
         .as_before = "crop"});
  visit("shown", shown,
        {.help = "how many samples the report shows of each subset, of the best and of the worst",
         .minimum = 0,
         .maximum = 50});
  visit("seed", seed, {.help = "seed of the draw of the shown samples", .minimum = 0});
}

pipeline::StageKind eval_kind() {
  pipeline::StageKind kind;
  kind.name = "eval";
  kind.version = 7;  // scores of images with and without a relative in another subset, side by side
  kind.summary = "chooses the threshold and scores the model on train, validation and test";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "model", .help = "train.model"},
                 {.name = "shards", .help = "shard.shards", .by_sample = true},
                 {.name = "split", .help = "split.index"},
                 {.name = "metadata", .help = "inspect.metadata, for scores by visual type", .optional = true}};
  kind.outputs = {
      {.name = "model", .help = "the same weights, with threshold and instance rules"},
      {.name = "metrics", .help = "metrics.json, metrics.csv, thresholds.json, samples.json"},
      {.name = "predictions", .help = "labels, probabilities and overlays of every sample, and what the report shows"}};
  kind.parameters = pipeline::specifications_of<EvalParameters>();
  kind.check = check_eval;
  kind.body = [] { return compute_body("eval"); };
  return kind;
}

}  // namespace penstock::stages
