// One piece of work after another, by several threads at once.
#pragma once

#include <cstddef>
#include <functional>

namespace penstock::pipeline {

// Calls body(0) ... body(count - 1), each once, by up to `threads` threads, and returns when all have returned. What
// one throws is thrown here, once the others have ended; the rest is then left out.
void side_by_side(size_t count, int threads, const std::function<void(size_t)>& body);

}  // namespace penstock::pipeline
