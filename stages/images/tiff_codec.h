// TIFF in (the first page), through libtiff: 8- or 16-bit as stored, anything else as 8-bit RGBA.
#pragma once

#include "stages/images/image_format.h"

namespace penstock::stages {

extern const ImageFormat tiff_format;

}  // namespace penstock::stages
