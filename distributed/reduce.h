// Elementwise sums of host buffers, for back-ends that have no library for it.
#pragma once

#include "distributed/communicator.h"

namespace penstock::distributed {

// to[i] += from[i] for `count` elements of `type`.
void add_into(void* to, const void* from, size_t count, DataType type);

}  // namespace penstock::distributed
