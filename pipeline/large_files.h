// Files that are too large to be held, or that another library writes: as safe as those of files.h, with which they are
// defined.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::pipeline {

// As write_file, piece by piece: what is at `path` changes in commit() alone. Throws as it does. One thread uses a
// writer.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();  // without commit(): nothing is left
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(std::string_view bytes);
  void commit();

 private:
  void flush();

  std::filesystem::path path_, fresh_;
  int file_ = -1;
  std::string waiting_;  // bytes that are not written yet
};

// Syncs what another library has written to `fresh`, in the same folder, and renames it to `path`.
void move_into_place(const std::filesystem::path& fresh, const std::filesystem::path& path);

// The whole file, as read_file, without a copy where bytes are wanted.
std::vector<uint8_t> read_bytes(const std::filesystem::path& path);

}  // namespace penstock::pipeline
