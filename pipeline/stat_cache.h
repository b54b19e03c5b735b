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
  explicit StatCache(std::filesystem::path folder);
  ~StatCache();  // saves when something was added; a failure to save is not an error

  // Of a file, or of a folder's tree. Throws Error(data) when missing, naming `path`.
  Digest digest(const std::filesystem::path& path);
  // Read everything again (--verify-inputs).
  void distrust();
  void save();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A signature that changes when anything below `path` may have changed: to see whether an input was edited while a
// stage ran.
Digest stat_signature(const std::filesystem::path& path);

std::filesystem::path user_cache_folder();  // $XDG_CACHE_HOME/penstock or ~/.cache/penstock

}  // namespace penstock::pipeline
