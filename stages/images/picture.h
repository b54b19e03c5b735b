// How a file becomes the picture that samples are made of: which page, which channels, what contrast and how many bits.
// One rule for resize, inspect and predict, which travels samples.json -> the shards' index.json -> model.json as
// "input". Plain values: any thread may use its own.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/image.h"
#include "stages/images/page_choice.h"

namespace penstock::stages {

inline constexpr int most_sample_channels = 8;
inline constexpr const char* kept_bits = "kept";  // of PictureRule::keeps_bits, in a configuration and in "input"

struct PictureRule {
  PageChoice page = {};
  // From 1, in the order of the sample's channels; empty: as the file has them.
  std::vector<int64_t> channels_from = {};
  std::string contrast = "auto";  // a name of contrast_rules()
  bool keeps_bits = false;        // a picture of more than 8 bits has 16, else 8

  bool operator==(const PictureRule&) const = default;
};

// "input" is there only for another rule than the default, so that data of 8 bits keep their bytes. The reader takes
// the object that may hold "input".
void put_input(pipeline::Value& json, const PictureRule& rule);
PictureRule input_of(const pipeline::Value& json);

// A page's number, "only", "max" or "mean", as in a configuration; Error(data) for anything else.
PageChoice page_choice_from(const pipeline::Value& value);

struct Picture {
  Image image;                 // as many channels as were asked for, no alpha
  int channels = 0, bits = 0;  // of the file
  // Where the numbers were not those of the file divided by one fixed number: "limits": [[low, high], ...], the file's
  // values that became 0 and the largest, one pair for all channels or one for each; "notes": [...], what was bent to
  // read it.
  pipeline::Value record = pipeline::Value::object();
};

// Throws Error(data) naming `what` as decode_image does, and where the file has not the channels that are asked for:
// - without channels_from: as many as `channels` (alpha apart), or grey for 3 (repeated), or colours for 1 (luma);
// - with it: each number must be there, and there are as many as `channels`, or one, which is repeated.
// `grey`: whether a grey picture that is wanted in 3 channels is returned in three that are equal, or stays in one, a
// third of the memory.
enum class Grey { repeated, stays };
Picture read_picture(std::span<const uint8_t> bytes, std::string_view what, const PictureRule& rule, int channels,
                     Grey grey = Grey::repeated);
// The same of a file that decode_image read, with the rule's page.
Picture picture_of(Image native, std::string_view what, const PictureRule& rule, int channels,
                   Grey grey = Grey::repeated);

}  // namespace penstock::stages
