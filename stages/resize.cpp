// resize: decodes images, merges the per-nucleus masks into one native label map, and brings both to the training grid.
// The body is in compute/resize_body.cpp.
#include "stages/resize.h"

#include <fmt/format.h>

#include "stages/compute_library.h"
#include "stages/images/contrast.h"
#include "stages/kinds.h"

namespace penstock::stages {

void ResizeParameters::describe(pipeline::ParameterVisitor& visit) {
  visit("width", width, {.help = "width of a sample on the training grid, pixels", .minimum = 16, .maximum = 4096});
  visit("height", height, {.help = "height of a sample on the training grid, pixels", .minimum = 16, .maximum = 4096});
  visit("channels", channels,
        {.help = "of every sample: 1 (grey), 3 (RGB; grey is repeated), or as many signals as the files have or "
                 "channels_from names; alpha is dropped",
         .minimum = 1,
         .maximum = most_sample_channels});
  visit("mask_coverage", mask_coverage,
        {.help = "share of a grid pixel that labelled native pixels must cover to make it foreground",
         .minimum = 0.01,
         .maximum = 1});
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
  std::string help = "how pictures of more than 8 bits, and of fractions, become 8 bits. ";
  std::vector<std::string> choices;
  for (const ContrastRule& rule : contrast_rules()) {
    help += fmt::format("{}{}: {}", choices.empty() ? "" : "; ", rule.name, rule.help);
    choices.emplace_back(rule.name);
  }
  visit("contrast", contrast, {.help = help, .choices = choices});
}

PictureRule ResizeParameters::picture_rule() const {
  const auto* number = std::get_if<int64_t>(&page);
  const pipeline::Value value =
      number != nullptr ? pipeline::Value(*number) : pipeline::Value(std::get<std::string>(page));
  return {page_choice_from(value), channels_from, contrast};
}

namespace {

void check_channels(const pipeline::CheckView& view, pipeline::Problems& problems) {
  const auto parameters = pipeline::read_parameters<ResizeParameters>(view.values);
  const auto named = static_cast<int64_t>(parameters.channels_from.size());
  if (named == 0 || named == parameters.channels || (named == 1 && parameters.channels == 3)) return;
  problems.push_back({"channels_from", fmt::format("channels_from names {} channel{}, and channels is {}: give "
                                                   "channels = {}",
                                                   named, named == 1 ? "" : "s", parameters.channels, named)});
}

}  // namespace

pipeline::StageKind resize_kind() {
  pipeline::StageKind kind;
  kind.name = "resize";
  kind.summary = "resizes images and merged masks to the training grid, and keeps native label maps";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true}};
  kind.outputs = {
      {.name = "samples", .help = "packs of grid image, grid mask and native label map by sample, and samples.json"}};
  kind.parameters = pipeline::specifications_of<ResizeParameters>();
  kind.version = 2;  // stacks, channels, bits and orientation of a file are heeded
  kind.check = check_channels;
  kind.body = [] { return compute_body("resize"); };
  return kind;
}

}  // namespace penstock::stages
