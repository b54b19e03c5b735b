// Independent pieces of work on several threads. Any thread may call it.
#pragma once

#include <cstddef>
#include <functional>

namespace penstock::pipeline {

// Calls body(0) ... body(count - 1), each once, by up to `threads` threads, and returns when all have returned. After
// an exception no further piece begins; the first is thrown here once all threads have ended.
void side_by_side(size_t count, int threads, const std::function<void(size_t)>& body);

}  // namespace penstock::pipeline
