// resize: decodes images, reads masks as what they mean into one native label map, and brings both to the size of
// samples. The body is in compute/resize_body.cpp.
#include "stages/resize.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/counted.h"
#include "stages/archives/mask_meaning.h"
#include "stages/compute_library.h"
#include "stages/images/contrast.h"
#include "stages/kinds.h"
#include "stages/packs/quarantine.h"
#include "stages/resize_modes.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

void ResizeParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("width", width,
        {.help = "width of a sample on the training grid, pixels; of mode fit the largest",
         .minimum = 16,
         .maximum = 4096});
  visit("height", height,
        {.help = "height of a sample on the training grid, pixels; of mode fit the largest",
         .minimum = 16,
         .maximum = 4096});
  visit("channels", channels,
        {.help = "of every sample: 1 (grey), 3 (RGB; grey is repeated), or as many signals as the files have or "
                 "channels_from names; alpha is dropped",
         .minimum = 1,
         .maximum = most_sample_channels});
  visit("mask_coverage", mask_coverage,
        {.help = "share of a grid pixel that labelled native pixels must cover to make it foreground",
         .minimum = 0.01,
         .maximum = 1});
  visit("mode", mode,
        {.help = "size of a sample: " + help_of(resize_modes()),
         .choices = names_of(resize_modes()),
         .as_before = "squash"});
  visit("scale", scale,
        {.help = "sample pixels per native pixel, for every picture the same; of mode native",
         .minimum = 0.01,
         .maximum = 100,
         .as_before = 1.0});
  visit("object_diameter", object_diameter,
        {.help = "scale so that the labelled objects' median diameter, of the circle of equal area, is so many sample "
                 "pixels; 0: by `scale`; of mode native",
         .minimum = 0,
         .maximum = 10000,
         .as_before = 0.0});
  describe_files(visit);
}

void ResizeParameters::describe_files(pipeline::ParameterVisitor& visit) {
  visit("masks", masks, {.help = help_of_mask_choices(), .choices = mask_choices()});
  visit("exclude", exclude, {.help = "ids of samples to leave out"});
  visit("channels_from", channels_from,
        {.help = "which channels of a file become those of a sample, from 1, in this order; one may be repeated for 3. "
                 "Empty: all, and a file with another number of them is refused",
         .minimum = 1,
         .maximum = max_channels});
  visit("page", page,
        {.help = "which page of a file that holds a stack (z slices, time points), from 1; max and mean are taken over "
                 "all pages; only refuses stacks. Reduced copies and thumbnails are no pages",
         .minimum = 1,
         .choices = {"only", "max", "mean"}});
  visit(
      "contrast", contrast,
      {.help =
           "which values of pictures of more than 8 bits, and of fractions, become black and white (train.percentiles "
           "are taken of the result). " +
           help_of(contrast_rules()),
       .choices = names_of(contrast_rules())});
  visit("bits", bits,
        {.help = "of a value of a sample. kept: 16 where a picture of the data set has more than 8, else 8; 8: always, "
                 "half the memory",
         .minimum = 8,
         .maximum = 8,
         .choices = {kept_bits}});
  visit(
      "on_bad", on_bad,
      about_on_bad("whose image or mask cannot be read (damaged, no image, too large, of channels or pages that do not "
                   "fit, a mask of another size than its image)",
                   "samples.json"));
}

SampleRule ResizeParameters::sample_rule() const {
  SampleRule rule;
  rule.mode = mode;
  if (resize_mode(mode).by_sides)
    rule.width = static_cast<int>(width), rule.height = static_cast<int>(height);
  else
    rule.scale = scale;
  return rule;
}

bool ResizeParameters::scales() const { return resize_mode(mode).by_sides || scale != 1 || object_diameter > 0; }

PictureRule ResizeParameters::picture_rule() const {
  const auto* number = std::get_if<int64_t>(&page);
  const pipeline::Value value =
      number != nullptr ? pipeline::Value(*number) : pipeline::Value(std::get<std::string>(page));
  return {page_choice_from(value), channels_from, contrast, std::holds_alternative<std::string>(bits)};
}

namespace {

// A value that would have no effect is refused, so that nobody takes it for one that has.
void check_mode(const pipeline::CheckView& view, pipeline::Problems& problems) {
  const auto parameters = pipeline::read_parameters<ResizeParameters>(view.values);
  const auto refuse = [&](const char* parameter, const std::string& why) {
    if (std::find(view.given.begin(), view.given.end(), parameter) != view.given.end())
      problems.push_back({parameter, fmt::format("mode \"{}\" {}, so {} has no effect: take it out", parameters.mode,
                                                 why, parameter)});
  };
  const ResizeMode& mode = resize_mode(parameters.mode);
  if (mode.by_sides) {
    const char* why =
        mode.own_size ? "scales every picture to fit into width x height" : "brings every picture to width x height";
    refuse("scale", why);
    refuse("object_diameter", why);
  } else {
    refuse("width", "keeps each picture's own size");
    refuse("height", "keeps each picture's own size");
    if (!parameters.scales()) refuse("mask_coverage", "without scale or object_diameter changes no pixel");
    if (parameters.object_diameter > 0) refuse("scale", "with object_diameter chooses the scale");
  }
}

void check_channels(const pipeline::CheckView& view, pipeline::Problems& problems) {
  const auto parameters = pipeline::read_parameters<ResizeParameters>(view.values);
  const auto named = static_cast<int64_t>(parameters.channels_from.size());
  if (named == 0 || named == parameters.channels || (named == 1 && parameters.channels == 3)) return;
  problems.push_back({"channels_from", fmt::format("channels_from names {}, and channels is {}: give channels = {}",
                                                   pipeline::counted(named, "channel"), parameters.channels, named)});
}

}  // namespace

pipeline::StageKind resize_kind() {
  pipeline::StageKind kind;
  kind.name = "resize";
  kind.version = 3;  // 16 bits are kept
  kind.summary = "brings images and merged masks to the size of samples, and keeps native label maps";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true}};
  kind.outputs = {{.name = "samples", .help = "packs of image, mask and native label map by sample, and samples.json"}};
  kind.parameters = pipeline::specifications_of<ResizeParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    check_channels(view, problems);
    check_mode(view, problems);
  };
  kind.body = [] { return compute_body("resize"); };
  return kind;
}

}  // namespace penstock::stages
