// The pixels of one directory of a TIFF: strips or tiles, planes together or apart, 1 to 64 bits, any compression that
// libtiff knows. One thread uses a file.
#pragma once

#include "stages/images/raw_pixels.h"
#include "stages/images/tiff_file.h"

namespace penstock::stages {

// Of the directory that is set, upright (tag Orientation). Throws Error(data) when it is damaged, larger than
// check_size allows, or of a kind that is not read (complex numbers, more than max_channels channels).
// For a picture: palettes and CMYK become RGB, numbers for which 0 is white are turned over, 1 to 7 bits keep their
// numbers (raw.depth). For `as_labels`: the numbers as stored, indices of a palette too; 0 is white is heeded up to 8
// bits.
RawPixels read_tiff_pixels(TiffFile& file, bool as_labels);

}  // namespace penstock::stages
