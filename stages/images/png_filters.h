// What PNG does to a row before it is deflated, undone (PNG specification, section 9.2). Pure; any thread may call.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::stages {

inline constexpr uint8_t last_filter = 4;  // 0 none, 1 sub, 2 up, 3 average, 4 Paeth

// `in`: the filtered row, `up`: the finished row above it, or zeros; `out` has its `size` bytes. `step`: bytes of a
// pixel. False: there is no such filter.
bool unfilter(int filter, const uint8_t* in, const uint8_t* up, uint8_t* out, size_t size, size_t step);

}  // namespace penstock::stages
