// Where files come from: a zip archive, an archive inside an archive, or an unpacked folder, all read the same way.
// unzip and predict open them; entries are checked when the archive is opened, their bytes when they are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "distributed/error.h"
#include "pipeline/digest.h"

namespace penstock::stages {

// What an archive may not exceed; a hostile or damaged one is refused with Error(data).
struct ArchiveLimits {
  uint64_t entries = 2'000'000;
  uint64_t bytes = uint64_t{256} << 30;  // of all files, unpacked
  double ratio = 2000;                   // of one file, unpacked to packed
  uint64_t name_length = 1024;
  int depth = 4;  // of archives in archives
};

struct ArchiveEntry {
  std::string name;    // relative, '/' between parts, never "..": checked
  std::string shown;   // for messages, printable: "train.zip:id/images/id.png"
  uint64_t bytes = 0;  // unpacked
  // Where it lies in its input, archives in archives taken as folders, without "." parts: "train/id/images/id.png".
  std::string place = {};
};

// An entry of a zip whose bytes cannot be had, though the disk gives all of the zip's. Default visibility, as Error.
class __attribute__((visibility("default"))) DamagedEntry final : public Error {
 public:
  DamagedEntry(const ArchiveEntry& entry, const std::string& why);
  // "id/images/id.png: is damaged: CRC error", without the archive's own name before it.
  const std::string& without_archive() const { return without_archive_; }

 private:
  std::string without_archive_;
};

// Immutable; any thread may read.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual const std::vector<ArchiveEntry>& entries() const = 0;  // files only, in the archive's order
  // The content; the archive's checksum is verified. Throws Error(data) naming the entry, of a zip DamagedEntry.
  virtual std::vector<uint8_t> read(size_t entry) const = 0;
  // The first bytes, which tell what kind of file it is (file_kind.h); for messages.
  virtual std::vector<uint8_t> begin(size_t entry) const;
  // Of the entry as it is stored (packed bytes and method): cheap, and equal only for equal content. Throws as read().
  virtual pipeline::Digest digest(size_t entry) const = 0;
};

// Opens a zip file or a folder, and after it the archives inside it: those in a zip, and those in a folder that holds
// no image itself. The names in messages start with the file's or folder's own name. In a folder, links to files and
// folders are followed (pipeline/tree_walk.h); in a zip they are refused. A backslash in a zip's name stands between
// parts as '/' does (Windows), but where it is the second byte of a letter (Shift-JIS). Throws Error(data): missing,
// truncated, not a zip, beyond the limits, an entry whose name would leave its folder, a special file.
std::vector<std::unique_ptr<Archive>> open_archives(const std::filesystem::path& path, const ArchiveLimits& limits);

}  // namespace penstock::stages
