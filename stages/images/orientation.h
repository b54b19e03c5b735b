// Which way up an image lies, as cameras and microscopes write it beside the pixels (EXIF and TIFF tag 274, values 1
// to 8). Any thread may call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penstock::stages {

inline constexpr int upright = 1;

// The orientation in a block of EXIF data (it begins with "II*\0" or "MM\0*"); upright where there is none, or the
// block is damaged.
int orientation_in_exif(std::span<const uint8_t> exif);

// Whether turning by it swaps width and height.
inline bool swaps_sides(int orientation) { return orientation >= 5 && orientation <= 8; }

// The pixels as they are to be seen. `bytes` holds [height, width] pixels of `pixel_bytes`; width and height are
// swapped where swaps_sides says so. Values other than 2 to 8 change nothing.
void turn_upright(std::vector<uint8_t>& bytes, int& width, int& height, size_t pixel_bytes, int orientation);

}  // namespace penstock::stages
