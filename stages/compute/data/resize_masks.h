// Mask files become one label map, by what they mean (stages/archives/mask_meaning.h). Pure; any thread may call.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "stages/archives/mask_meaning.h"
#include "stages/images/label_codec.h"
#include "stages/images/page_choice.h"

namespace penstock::stages {

struct MaskFile {
  std::string name;  // for messages: "<id>/masks/<file>"
  std::span<const uint8_t> bytes;
};

struct MergedMasks {
  LabelMap map;
  int objects = 0;
  int64_t overlaps = 0;   // pixels claimed more than once: the first file keeps them
  int empty_masks = 0;    // files without a labelled pixel: they get no label
  int covered_masks = 0;  // files all of whose pixels earlier ones claimed (one saved twice): neither
};

// One object a file. A pixel is labelled where a colour channel is at or above half its range, in a file of 0 and 1
// where it is 1. Throws Error(data) naming the file: not an
// image, another size than the image (both sizes said).
MergedMasks merge_masks(const std::vector<MaskFile>& files, int width, int height, const PageChoice& page = {});

// The numbers of a mask's file (decode_labels_image), alpha dropped. Throws Error(data) naming the file.
MaskNumbers read_mask(const MaskFile& file, const PageChoice& page = {});

// The masks of one image by the set's rule. Throws as merge_masks does, and where a meaning of one file an image finds
// several.
MergedMasks read_masks(const std::vector<MaskFile>& files, int width, int height, const MaskRule& rule,
                       const PageChoice& page = {});

}  // namespace penstock::stages
