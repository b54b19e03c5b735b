// How large a network may be: of a configuration, and of a model folder that anyone may have written.
#pragma once

#include <cstdint>

namespace penstock::stages {

inline constexpr int64_t most_in_channels = 64, most_out_channels = 64, most_base_channels = 512, most_depth = 7;

}  // namespace penstock::stages
