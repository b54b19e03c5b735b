// The clean-up of a store, safe beside running jobs. plan_collection (store_gc.cpp) decides, collect
// (store_collect.cpp) removes.
//
// Always removed: objects that no key names, keys that name what is gone, chunks of published stages that share few
// bytes with an object, progress of published stages, leftovers of dead processes. On request: what was not used for a
// while, or as much as it takes to fit a size. Never: what is pinned, kept or leased, what a running stage makes or
// reads, and what was made or used within the grace period. All times are those of the store's own file system.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/store/store_inventory.h"

namespace penstock::pipeline {

struct CollectionRequest {
  std::chrono::seconds grace = std::chrono::hours(24);
  std::optional<std::chrono::seconds>
      older_than;                     // publications and unfinished work not used for that long are removed
  std::optional<uint64_t> max_bytes;  // the least recently used are removed, until the store fits
  std::set<Digest> keep;              // action keys that stay
};

enum class Remnant {
  publication,  // a key, with its recipes and records
  unfinished,   // progress and records of a stage that is not published
  object,
  chunk,
  progress,  // of a stage that is published
  staging,
  lease,
  key,  // or manifest: names what is gone, is named by none, or cannot be read
};
const char* name_of(Remnant kind);

// Something that is to be removed.
struct Condemned {
  Remnant kind;
  Digest digest;                             // action key, key, object or chunk; zero for staging and leases
  std::string stage;                         // that it is of, where that is known
  std::string why;                           // "not used for 31 days"
  uint64_t bytes = 0;                        // that removing it frees, after those before it in the list
  std::vector<std::filesystem::path> paths;  // in the order in which they are removed
};

struct Collection {
  uint64_t bytes = 0;  // of the store before: outputs, parts, progress, attempts and staging, hard links counted once
  std::vector<Condemned> condemned;
  Time deadline;  // what was written or used after that stays

  uint64_t freed() const;
};

// Decides; changes nothing.
Collection plan_collection(const Store& store, const Inventory& inventory, const CollectionRequest& request);

// Removes what was decided, each checked once more: what was used or claimed since, or is named by a new key, stays.
// Keys go before what they name, and everything is renamed away before it is deleted, so that a reader finds the whole
// or nothing. Returns what was removed. Error(cannot_create) in a store that cannot be written. Other jobs and
// clean-ups may be at work.
Collection collect(const Store& store, const Collection& plan);

// The stages that a process works on, as far as is known: leased, or with staging of a process that lives, or (on
// another machine) that wrote something after `deadline`.
struct Busy {
  std::set<Digest> actions;
  std::set<Digest> reads;  // objects that are read for them
};
Busy busy_in(const Store& store, const std::vector<StagingEntry>& staging, const std::vector<LeaseEntry>& leases,
             Time deadline);

}  // namespace penstock::pipeline
