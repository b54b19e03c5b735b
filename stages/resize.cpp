// resize: decodes images, merges the per-nucleus masks into one native label map, and brings both to the training grid.
// The body is in compute/resize_body.cpp.
#include "stages/resize.h"

#include <fmt/format.h>

#include <algorithm>

#include "stages/compute_library.h"
#include "stages/kinds.h"
#include "stages/resize_modes.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

void ResizeParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("width", width, {.help = "width of a sample on the training grid, pixels", .minimum = 16, .maximum = 4096});
  visit("height", height, {.help = "height of a sample on the training grid, pixels", .minimum = 16, .maximum = 4096});
  visit("channels", channels,
        {.help = "1 (grey) or 3 (RGB) of every sample; alpha is dropped", .minimum = 1, .maximum = 3});
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
  visit("exclude", exclude, {.help = "ids of samples to leave out"});
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
  if (resize_mode(parameters.mode).own_size) {
    refuse("width", "keeps each picture's own size");
    refuse("height", "keeps each picture's own size");
    if (!parameters.scales()) refuse("mask_coverage", "without scale or object_diameter changes no pixel");
    if (parameters.object_diameter > 0) refuse("scale", "with object_diameter chooses the scale");
  } else {
    refuse("scale", "brings every picture to width x height");
    refuse("object_diameter", "brings every picture to width x height");
  }
}

}  // namespace

pipeline::StageKind resize_kind() {
  pipeline::StageKind kind;
  kind.name = "resize";
  kind.summary = "brings images and merged masks to the size of samples, and keeps native label maps";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true}};
  kind.outputs = {{.name = "samples", .help = "packs of image, mask and native label map by sample, and samples.json"}};
  kind.parameters = pipeline::specifications_of<ResizeParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    if (pipeline::read_parameters<ResizeParameters>(view.values).channels == 2)
      problems.push_back({"channels", "channels must be 1 or 3, is 2"});
    check_mode(view, problems);
  };
  kind.body = [] { return compute_body("resize"); };
  return kind;
}

}  // namespace penstock::stages
