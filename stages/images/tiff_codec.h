// TIFF and BigTIFF in, through libtiff: the pages of full size (tiff_axes.h says what they stand for), the pixels of
// one (tiff_pixels.h), and how they become an image (raw_pixels.h).
#pragma once

#include "stages/images/image_format.h"

namespace penstock::stages {

extern const ImageFormat tiff_format;

}  // namespace penstock::stages
