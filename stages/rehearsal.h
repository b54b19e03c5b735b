// How short a rehearsal is (`penstock run --rehearse`).
#pragma once

#include <cstdint>

namespace penstock::stages {

inline constexpr int64_t rehearsed_samples = 8;
inline constexpr int64_t rehearsed_epochs = 2;  // of one step each, with so few samples

}  // namespace penstock::stages
