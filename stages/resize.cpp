// resize: decodes images, reads masks as what they mean into one native label map, and brings both to the training
// grid. The body is in compute/resize_body.cpp.
#include "stages/resize.h"

#include "stages/compute_library.h"
#include "stages/images/mask_meaning.h"
#include "stages/kinds.h"

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
  visit("masks", masks, {.help = help_of_mask_choices(), .choices = mask_choices()});
  visit("exclude", exclude, {.help = "ids of samples to leave out"});
}

pipeline::StageKind resize_kind() {
  pipeline::StageKind kind;
  kind.name = "resize";
  kind.version = 2;
  kind.summary = "resizes images and merged masks to the training grid, and keeps native label maps";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true}};
  kind.outputs = {
      {.name = "samples", .help = "packs of grid image, grid mask and native label map by sample, and samples.json"}};
  kind.parameters = pipeline::specifications_of<ResizeParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    if (pipeline::read_parameters<ResizeParameters>(view.values).channels == 2)
      problems.push_back({"channels", "channels must be 1 or 3, is 2"});
  };
  kind.body = [] { return compute_body("resize"); };
  return kind;
}

}  // namespace penstock::stages
