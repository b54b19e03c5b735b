// How large an image may be before it is refused as damaged or hostile.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::stages {

inline constexpr uint32_t max_side = 65535;
inline constexpr uint64_t max_values = uint64_t{1} << 28;

// Throws Error(data) with `what` and the size when a side is 0 or over max_side, or the image has over max_values
// values.
void check_size(int64_t width, int64_t height, int channels, std::string_view what);

}  // namespace penstock::stages
