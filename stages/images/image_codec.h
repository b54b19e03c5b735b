// Images from files of any known format (PNG, JPEG, TIFF). No colour management; alpha is kept and the caller drops it.
// Any thread may decode. What is bent, filled or left out to read a file stands in `notes`: the caller says it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "stages/images/image.h"
#include "stages/images/labels_image.h"
#include "stages/images/page_choice.h"

namespace penstock::stages {

// Upright, and as bits of depth as the file has (8 or 16; to_image in raw_pixels.h says what becomes of others). By the
// first bytes, never by the name. Throws Error(data): "`what`: not a PNG, JPEG or TIFF image but ...", "`what`:
// truncated PNG", size caps (check_size), a stack for which `page` says nothing, with `what` naming file or entry.
Image decode_image(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page = {});

// The numbers of a label image or mask, exactly as the file holds them: ids of 8, 16, 32 and 64 bits and floats without
// a fraction up to 2^32 - 1, 1-bit masks as 0 and 1, indices of a palette, colours as 0xRRGGBB. `page`: as for its
// image; a mask of one page fits any. Throws as decode_image does, and for numbers that are no ids.
LabelsImage decode_labels_image(std::span<const uint8_t> bytes, std::string_view what, const PageChoice& page = {});

// By the extension, in any case: .png .jpg .jpeg .tif .tiff.
bool looks_like_image_name(std::string_view name);

}  // namespace penstock::stages
