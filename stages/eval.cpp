// eval: chooses the threshold on validation, then scores every labelled sample on the grid and at native size, in
// pixels and in objects. The body is in compute/eval_body.cpp.
#include "stages/eval.h"

#include "stages/compute_library.h"
#include "stages/kinds.h"

namespace penstock::stages {

void EvalParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("threshold", threshold,
        {.help =
             "probability above which a pixel is foreground; \"validation\": the one with the best Dice on validation",
         .minimum = 0,
         .maximum = 1,
         .choices = {"validation"}});
  visit("minimum_area", minimum_area, {.help = "smaller predicted objects are removed, native pixels", .minimum = 0});
  visit("shown", shown,
        {.help = "how many samples the report shows of each subset, of the best and of the worst",
         .minimum = 0,
         .maximum = 50});
  visit("seed", seed, {.help = "seed of the draw of the shown samples", .minimum = 0});
}

pipeline::StageKind eval_kind() {
  pipeline::StageKind kind;
  kind.name = "eval";
  kind.version = 2;  // the network runs channels last: other last bits
  kind.summary = "chooses the threshold and scores the model on train, validation and test";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "model", .help = "train.model"},
                 {.name = "shards", .help = "shard.shards", .by_sample = true},
                 {.name = "split", .help = "split.index"},
                 {.name = "metadata", .help = "inspect.metadata", .optional = true}};
  kind.outputs = {
      {.name = "model", .help = "the same weights, with threshold and instance rules"},
      {.name = "metrics", .help = "metrics.json, metrics.csv, thresholds.json, samples.json"},
      {.name = "predictions", .help = "labels, probabilities and overlays of every sample, and what the report shows"}};
  kind.parameters = pipeline::specifications_of<EvalParameters>();
  kind.body = [] { return compute_body("eval"); };
  return kind;
}

}  // namespace penstock::stages
