// The contents of a store: every publication, and the bytes that everything takes. Reads names, sizes, times and the
// small files of keys, never outputs. A snapshot: other processes may be at work, and what vanishes meanwhile is left
// out.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/process_mark.h"
#include "pipeline/store/bucket_list.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

using Time = std::chrono::system_clock::time_point;

// A file by its identity: hard links have it in common.
struct FileUse {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t bytes = 0;
};

// A file or folder of the store with all below it.
struct Stored {
  Time written;  // of an object or chunk: made or touched; else the newest change of anything below it
  std::vector<FileUse> files;
  uint64_t list_bytes = 0;  // of the list of an object or chunk

  uint64_t bytes() const;
};

// An action key with what it names.
struct StoredPublication {
  Publication publication;
  std::string stage;  // as named when published
  Time published;
  Time used;                    // by a run, to the hour
  std::vector<Digest> recipes;  // keys that name it
  bool pinned = false;
};

// A recipe key with what it names; nullopt: it cannot be read.
struct StoredRecipe {
  Digest key;
  Time written;
  std::optional<Publication> publication;
};

struct StoredManifest {
  std::filesystem::path path;
  Digest digest;
  Time written;
};

// An entry of staging/, or a key that is being written: what a process is making, or left behind.
struct StagingEntry {
  std::filesystem::path path;
  std::optional<Digest> action;  // nullopt: a chunk, or something moved aside
  Life life = Life::unknown;     // of the process that made it
  std::vector<Digest> reads;     // objects that are read for it
  Stored stored;
};

// An entry of leases/.
struct LeaseEntry {
  std::filesystem::path path;
  std::optional<Digest> action;  // nullopt: a claim that was never made, or one that was broken
  Life life = Life::unknown;
  Time written;
};

struct Inventory {
  Time now;                                     // by the clock of the store's file system, where that is known
  std::vector<StoredPublication> publications;  // by action key
  std::vector<StoredRecipe> recipes;
  std::vector<StoredManifest> manifests;
  std::vector<Digest> damaged_keys;  // action keys that cannot be read
  std::map<Digest, Stored> objects, chunks;
  std::map<Digest, Stored> progress, attempts;                  // by action key
  std::map<Digest, BucketList> buckets;                         // by action key
  std::map<Digest, std::set<Digest>> families;                  // family -> action keys
  std::multimap<Digest, std::filesystem::path> nondeterminism;  // records, by action key
  std::vector<StagingEntry> staging;
  std::vector<LeaseEntry> leases;

  const StoredPublication* publication(const Digest& action) const;  // nullptr when there is none
};

// Error(data) when there is no store. `threads` look at sizes side by side.
Inventory take_inventory(const Store& store, int threads);

// Its parts that change from moment to moment, to look at again.
std::vector<StagingEntry> staging_of(const Store& store);
std::vector<LeaseEntry> leases_of(const Store& store);
Stored stored_at(const std::filesystem::path& path);  // nothing when it is gone
std::vector<StoredPublication> publications_of(const Store& store, int threads);
std::vector<StoredRecipe> recipes_of(const Store& store, int threads);

// How many bytes are left when things go one after another, hard links counted once.
class Room {
 public:
  explicit Room(const Inventory& inventory);

  uint64_t bytes() const { return bytes_; }
  // Counts these files out; returns the bytes that nothing holds any more.
  uint64_t remove(const Stored& stored);
  // Of these files' bytes, those that others hold too.
  uint64_t shared(const Stored& stored) const;

 private:
  struct Use {
    uint64_t bytes = 0;
    int holders = 0;
  };
  struct Hash {
    size_t operator()(const std::pair<uint64_t, uint64_t>& file) const {
      return file.first * 0x9e3779b97f4a7c15u ^ file.second;
    }
  };
  void add(const Stored& stored);

  std::unordered_map<std::pair<uint64_t, uint64_t>, Use, Hash> files_;
  uint64_t bytes_ = 0;
};

}  // namespace penstock::pipeline
