// The whole numbers of a label image or mask as its file holds them. What they mean (ids, colours, one object) is not
// said here. Plain values: any thread may use its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stages/images/image.h"

namespace penstock::stages {

struct LabelsImage {
  int width = 0;
  int height = 0;
  int bits = 8;          // of the file's values: 1, 2, 4, 8, 12, 16, 32 or 64
  bool colours = false;  // `values` are 0xRRGGBB, with pixels that are not grey; else one number a pixel
  bool palette = false;  // `values` are indices into the file's palette: the numbers, not the colours they are shown in
  // [height, width] from the top. Grey: the stored number, not scaled (1-bit: 0 and 1). A picture of three equal
  // channels counts as grey.
  std::vector<uint32_t> values;
  std::vector<uint8_t> alpha;           // [height, width], 255 opaque; empty when the file has none
  std::vector<std::string> notes = {};  // as Image has them
};

// Of an image with 1 to 4 channels. 16-bit colours are taken where 8 bits hold them (at most 255, or multiples of
// 257); else, and for more channels, Error(data) naming `what`.
LabelsImage labels_from(const Image& image, std::string_view what);

}  // namespace penstock::stages
