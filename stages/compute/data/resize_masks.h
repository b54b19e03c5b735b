// One file per nucleus becomes one label map. Pure; any thread may call.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stages/images/label_codec.h"

namespace penstock::stages {

struct MaskFile {
  std::string name;  // for messages: "<id>/masks/<file>"
  std::span<const uint8_t> bytes;
};

struct MergedMasks {
  LabelMap map;
  int objects = 0;
  int64_t overlaps = 0;  // pixels claimed twice: the first file keeps them
  int empty_masks = 0;   // files without a labelled pixel: they get no label
};

// A pixel is labelled where a colour channel is at or above half its range. Throws Error(data) naming the file: not an
// image, another size than the image (both sizes said), more than 65,535 objects.
MergedMasks merge_masks(const std::vector<MaskFile>& files, int width, int height);

}  // namespace penstock::stages
