// The choices of resize.mode: what size a picture has as a sample. Pure; any thread may call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

struct ResizeMode {
  std::string name, help;
  bool own_size = false;  // each sample has its own size, and training takes crops; else all lie on one grid
  bool by_sides = false;  // resize.width and height say the size; else resize.scale does
};

const std::vector<ResizeMode>& resize_modes();
const ResizeMode& resize_mode(std::string_view name);  // fails a check where there is none of that name

struct SampleSize {
  int width = 0, height = 0;  // pixels
};

// How the pictures of a data set become samples.
struct SampleRule {
  std::string mode = "squash";
  int width = 0, height = 0;  // of a mode by sides: of the grid, or what a sample fits into
  double scale = 1;           // of another: sample pixels per pixel of the picture

  bool own_size() const { return resize_mode(mode).own_size; }
  bool operator==(const SampleRule&) const = default;
};

// What the indexes of samples and shards say: {"mode", "scale"}, {"mode", "width", "height"}, or of a grid without
// mode. Reading throws Error(data) for a mode that this program does not know.
pipeline::Value to_json(const SampleRule& rule);
SampleRule sample_rule_from(const pipeline::Value& json);
std::string in_words(const SampleRule& rule);  // "samples of 128 x 128 pixels"

// Of a picture of width x height; no side is 0. Throws Error(data) naming `what` where the sample would be larger than
// an image may be (images/image.h).
SampleSize sample_size(const SampleRule& rule, int width, int height, int channels, const std::string& what);

}  // namespace penstock::stages
