// JPEG in, through libjpeg-turbo: 8-bit grey or RGB.
#pragma once

#include "stages/images/image_format.h"

namespace penstock::stages {

extern const ImageFormat jpeg_format;

}  // namespace penstock::stages
