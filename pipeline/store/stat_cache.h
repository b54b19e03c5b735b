// Digests of outside files and folders by (device, inode, size, mtime, ctime), so that an unchanged file is not read
// again. Private to user and host: lies in $XDG_CACHE_HOME/penstock (or ~/.cache/penstock).
//
// One thread. A file changed within the last two seconds of its own clock is read again (a racy entry is not stored).
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/digest.h"
#include "pipeline/files.h"

namespace penstock::pipeline {

class StatCache {
 public:
  // `folder` holds the cache file; a missing or damaged one is an empty cache.
  explicit StatCache(const std::filesystem::path& folder);
  ~StatCache();  // saves when something was added; a failure to save is not an error

  // A file, or a folder's tree, as it is now: its bytes' digest, and a signature that changes when anything of it may
  // have changed since.
  struct Looked {
    Digest digest;
    Digest signature;
  };
  // Throws Error(data) when missing, naming `path`.
  Looked look(const std::filesystem::path& path);
  // From now on every file is read again (--verify-inputs).
  void distrust();
  void save();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The signature that look() would give, without reading any file: to see whether an input was edited meanwhile.
Digest stat_signature(const std::filesystem::path& path);

std::filesystem::path user_cache_folder();  // $XDG_CACHE_HOME/penstock or ~/.cache/penstock

}  // namespace penstock::pipeline
