// Publications from one store into another: what `penstock cache export` and `import` do. Outputs, manifests, keys and
// attempts are copied; chunks and progress are not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/store/store.h"

namespace penstock::pipeline {

struct Parcel {
  PublicationPointer publication;
  std::vector<Digest> recipes;  // keys that are to name it as well
};

struct Transferred {
  size_t publications = 0;           // that are there now
  size_t kept = 0;                   // of them, where other bytes were published for the same key before: those stay
  size_t objects = 0;                // copied
  uint64_t bytes = 0;                // of them
  std::vector<std::string> refused;  // "train (model): is damaged": publications that were left out
};

// Every output is verified while it is copied; one that is there and good stays. A publication whose outputs are not
// all good is left out. Error(io) or Error(cannot_create) when `to` cannot be written: what is there by then is whole.
Transferred transfer(const Store& from, Store& to, const std::vector<Parcel>& parcels);

// All that a store publishes.
std::vector<Parcel> all_parcels(const Store& store);

}  // namespace penstock::pipeline
