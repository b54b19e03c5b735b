// JPEG in, through libjpeg-turbo: 8-bit grey or RGB (CMYK is converted), turned upright by its EXIF data.
#pragma once

#include "stages/images/image_format.h"

namespace penstock::stages {

extern const ImageFormat jpeg_format;

}  // namespace penstock::stages
