// What the masks of a data set mean, decided once for the whole set. Pure; any thread may call.
//
// The rule of "auto":
// 1. A sample has several mask files: "objects".
// 2. Every mask that is not empty has one value beside 0, or is shaded (an edge that was smoothed, a JPEG's noise):
//    "binary". Shaded: grey, three values or more, of which at least half form areas of at most 3 pixels, while the
//    most frequent one lies in the upper eighth of the file's range and has over twice its equal share of pixels.
// 3. At least 80 % of the labelled pixels lie in the largest area of their value (each value is one object, pieces
//    aside): "colours" where a mask has pixels that are not grey, else "labels".
// 4. Else values are used again for several areas (classes, ids that repeat), and what they mean must be said: an
// error. Areas are 4-connected, as in the scores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/value.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

enum class MaskMeaning {
  objects,  // a file is an object
  labels,   // a number is an object, 0 is background
  binary,   // an area of what is not background is an object
  colours,  // a colour is an object, but the background's
  pieces,   // an area of one value is an object, 0 is background
};

std::string_view name_of(MaskMeaning meaning);
// Whether its rule has more than its name: binary may be shaded, colours have a background.
bool depends_on_the_set(MaskMeaning meaning);
std::vector<std::string> mask_choices();  // "auto", and the names of all meanings
std::string help_of_mask_choices();

// The numbers of a mask as its file holds them.
struct MaskNumbers {
  int width = 0;
  int height = 0;
  int bits = 8;                  // of a grey value
  bool colours = false;          // values are 0xRRGGBB, with pixels that are not grey
  std::vector<uint32_t> values;  // [height, width] from the top
};

// What one mask shows of its meaning.
struct MaskStatistics {
  int64_t values = 0;   // distinct, beside 0
  int64_t areas = 0;    // 4-connected, of one value
  int64_t pixels = 0;   // not 0
  int64_t largest = 0;  // those in the largest area of their value
  bool colours = false;
  bool shaded = false;
  bool black = false;          // a pixel is 0
  uint32_t most_frequent = 0;  // of all values, 0 too
};
MaskStatistics statistics_of(const MaskNumbers& mask);
pipeline::Value to_json(const MaskStatistics& statistics);
MaskStatistics mask_statistics_from(const pipeline::Value& json);

// How every mask of a set is read.
struct MaskRule {
  MaskMeaning meaning = MaskMeaning::objects;
  // Of colours: black where at least half of the masks have a black pixel, else what most masks have most of.
  uint32_t background = 0;
  // Of binary: in a file with two values or more beside 0, foreground begins at half of the range. Where the set is
  // shaded.
  bool half_range = false;
};
pipeline::Value to_json(const MaskRule& rule);
MaskRule mask_rule_from(const pipeline::Value& json);

struct NamedStatistics {
  std::string name;  // of the sample or file
  MaskStatistics statistics;
};
struct MaskDecision {
  MaskRule rule;
  std::string why;  // in words, with counts: "24 of 24 masks have one value beside 0"
};
// `wanted` is a meaning, or nullopt for "auto"; `several` says that a sample has several mask files, which are then not
// in `masks`. Throws Error(data) where "auto" cannot tell, naming the mask and what to say.
MaskDecision decide_masks(std::optional<MaskMeaning> wanted, bool several, const std::vector<NamedStatistics>& masks);
std::optional<MaskMeaning> mask_meaning_named(std::string_view name);  // nullopt: "auto"

// The objects of one mask, numbered 1..n: labels and colours by value, areas by their first pixel from the top. Not of
// MaskMeaning::objects.
LabelMap objects_in(const MaskNumbers& mask, const MaskRule& rule);

}  // namespace penstock::stages
