// Reads a whole store: is every byte what it was when it was published?
#pragma once

#include <string>
#include <vector>

#include "pipeline/store/store_inventory.h"

namespace penstock::pipeline {

// Something that is not as it was published.
struct BadEntry {
  std::string what;  // "object", "chunk", "key"
  Digest digest;
  std::vector<std::string> stages;  // that published it, where that is known
  std::string problem;              // "is damaged", "names an output that is bad or gone"
};

struct Verification {
  size_t objects = 0, chunks = 0, keys = 0;
  uint64_t bytes = 0;  // read
  std::vector<BadEntry> bad;
};

// Reads every object and chunk, `threads` side by side, and looks up every key. With `repair` bad objects and chunks
// are moved aside, and keys that name nothing are removed, so that the next run rebuilds what is missing. Jobs may
// be at work: what vanishes or is made meanwhile is left out.
Verification verify_store(const Store& store, bool repair, int threads);

}  // namespace penstock::pipeline
