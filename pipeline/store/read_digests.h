// Digests of files that this process has read, for the further names that they get: a chunk's file becomes an object's
// by a hard link, and need not be read again for that. Used by the store alone; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>

#include "pipeline/files.h"

namespace penstock::pipeline {

class ReadDigests {
 public:
  // Reads the file, and keeps its digest.
  Digest read(const std::filesystem::path& file, const FileSignature& signature);
  // The digest that was kept of this file, once, unless it was written since then; otherwise reads it.
  Digest take(const std::filesystem::path& file, const FileSignature& signature);

 private:
  // Device, inode, size and mtime: what a file has under any name. Its ctime changes with each that it gets.
  using Identity = std::array<int64_t, 4>;

  std::mutex mutex_;
  std::map<Identity, Digest> digests_;
};

}  // namespace penstock::pipeline
