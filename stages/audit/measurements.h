// What the audit knows of one sample: taken where its picture is decoded, kept as JSON between inspect's two passes.
// Pure; any thread may call.
#pragma once

#include <string>

#include "pipeline/value.h"
#include "stages/audit/alignment.h"
#include "stages/audit/fingerprint.h"
#include "stages/audit/mask_shape.h"
#include "stages/images/image.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

struct Measurements {
  std::string id, entry;       // the sample, and its image's name as the user has it
  int channels = 0, bits = 0;  // of the file
  std::string look;            // appearance.h
  bool labelled = false;
  int64_t empty_masks = 0;
  int64_t overlaps = 0;         // pixels that several masks claim
  int64_t range = 0;            // of grey values: the largest less the smallest
  double saturated = 0;         // share of grey values that are 255
  double above_otsu = 0;        // share of grey values above Otsu's threshold
  bool objects_darker = false;  // than the rest, on average
  MaskShape shape;
  Alignment alignment;
  Fingerprint print;
};

// `picture`: of 8 or 16 bits, any channels. `map`: null where not labelled; one of another size than the picture leaves
// out what compares the two. `metadata`: id, entry, channels, bits, look (FORMATS.md); `record`: empty_masks, overlaps
// of resize.
Measurements measured(const Image& picture, const LabelMap* map, const pipeline::Value& metadata,
                      const pipeline::Value& record);

pipeline::Value to_json(const Measurements& measurements);
Measurements measurements_from(const pipeline::Value& json);

}  // namespace penstock::stages
