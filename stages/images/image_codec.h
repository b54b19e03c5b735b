// Images from files of any known format (PNG, JPEG, TIFF). No colour management; alpha is kept and the caller drops it.
// Any thread may decode.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "stages/images/image.h"

namespace penstock::stages {

// By the first bytes, never by the name. Throws Error(data): "`what`: not a PNG, JPEG or TIFF image but ...",
// "`what`: truncated PNG", size caps (check_size), with `what` naming file or entry.
Image decode_image(std::span<const uint8_t> bytes, std::string_view what);

// By the extension, in any case: .png .jpg .jpeg .tif .tiff.
bool looks_like_image_name(std::string_view name);

}  // namespace penstock::stages
