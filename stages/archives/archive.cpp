#include "stages/archives/archive.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <new>
#include <optional>

#include "distributed/check.h"
#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/files.h"
#include "pipeline/large_files.h"
#include "pipeline/tree_walk.h"
#include "stages/archives/layout_names.h"
#include "stages/images/file_kind.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using distributed::printable_name;
using pipeline::Digest;

[[noreturn]] void refuse(const std::string& what, const std::string& fault) {
  throw Error(ExitCode::data, what + ": " + fault);
}

// What libzip says of an entry that it cannot read: whether its bytes are at fault, or the disk or the memory.
[[noreturn]] void refuse_entry(const ArchiveEntry& entry, const std::string& fault, int code) {
  if (code == ZIP_ER_MEMORY) throw std::bad_alloc();
  if (code == ZIP_ER_READ || code == ZIP_ER_SEEK || code == ZIP_ER_OPEN) refuse(entry.shown, fault);
  throw DamagedEntry(entry, fault);
}

bool ends_with(std::string name, std::string_view ending) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with(ending);
}

// A name that would leave the folder it is unpacked into, or cannot be a path.
bool escapes(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string::npos) return true;
  if (name.size() > 1 && name[1] == ':') return true;
  const fs::path path(name);
  return std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

// The name with '/' between its parts. `raw` are its bytes in the zip: in a name that is not UTF-8, a backslash after a
// byte of 0x81 or more is half of a letter.
std::string with_slashes(std::string name, std::string_view raw) {
  if (name.find('\\') == std::string::npos) return name;
  const bool utf8 = distributed::is_utf8(raw);
  std::vector<bool> separates;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\') separates.push_back(utf8 || i == 0 || static_cast<unsigned char>(raw[i - 1]) < 0x81);
  }
  size_t seen = 0;
  for (char& c : name) {
    if (c == '\\' && seen < separates.size() && separates[seen++]) c = '/';
  }
  return name;
}

// `above` is "" or ends with '/'.
std::string place_of(const std::string& above, const std::string& name) {
  std::string place = above;
  for (const std::string& part : parts_of(name)) {
    if (!part.empty() && part != ".") place += (place.empty() || place.ends_with('/') ? "" : "/") + part;
  }
  return place;
}

// What a zip is read from: a file, or bytes in memory (an archive inside an archive).
struct ZipBytes {
  fs::path file;
  std::vector<uint8_t> memory;
};

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Zip = std::unique_ptr<zip_t, CloseZip>;
using ZipFile = std::unique_ptr<zip_file_t, CloseFile>;

Zip open_zip(const ZipBytes& bytes, const std::string& name) {
  zip_error_t problem;
  zip_error_init(&problem);
  zip_source_t* source = bytes.memory.empty()
                             ? zip_source_file_create(bytes.file.c_str(), 0, -1, &problem)
                             : zip_source_buffer_create(bytes.memory.data(), bytes.memory.size(), 0, &problem);
  zip_t* zip = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &problem);
  const std::string why = zip_error_strerror(&problem);
  if (zip == nullptr) {
    if (source != nullptr) zip_source_free(source);
    zip_error_fini(&problem);
    const auto begin =
        bytes.memory.empty()
            ? first_bytes(bytes.file)
            : std::vector(bytes.memory.begin(), bytes.memory.begin() + std::min(bytes.memory.size(), bytes_that_tell));
    const std::string file = bytes.memory.empty() ? bytes.file.string() : fs::path(name).filename().string();
    refuse(name, fmt::format("is not a whole zip archive ({}) {}", why, but_is(begin, file)));
  }
  zip_error_fini(&problem);
  return Zip(zip);
}

void check_entry(size_t entry, size_t count) {
  PENSTOCK_CHECK(entry < count, fmt::format("an entry is one of its archive's {}, is {}", count, entry));
}

class ZipArchive final : public Archive {
 public:
  // `above` is where the archive lies in its input: "" or a folder with '/' at the end.
  ZipArchive(ZipBytes bytes, std::string name, const std::string& above, const ArchiveLimits& limits)
      : bytes_(std::move(bytes)), name_(std::move(name)) {
    Zip zip = open_zip(bytes_, name_);
    const auto count = static_cast<uint64_t>(zip_get_num_entries(zip.get(), 0));
    if (count > limits.entries)
      refuse(name_, fmt::format("{} entries exceed the limit of {} (max_entries)", count, limits.entries));
    uint64_t total = 0;
    for (uint64_t index = 0; index < count; ++index) {
      zip_stat_t about;
      if (zip_stat_index(zip.get(), index, 0, &about) != 0)
        refuse(name_, fmt::format("entry {} cannot be read", index));
      const char* raw = zip_get_name(zip.get(), index, ZIP_FL_ENC_RAW);
      const std::string entry = with_slashes(about.name, raw == nullptr ? about.name : raw);
      const std::string shown = name_ + ":" + printable_name(entry);
      check(entry, about, limits);
      if (is_link(zip.get(), index)) refuse(shown, "is a symbolic link; archives may hold files and folders only");
      if (entry.ends_with('/')) continue;
      total += about.size;
      if (total > limits.bytes) refuse(name_, fmt::format("unpacks to over {} bytes (max_bytes)", limits.bytes));
      entries_.push_back({entry, shown, about.size, place_of(above, entry)});
      indices_.push_back(index);
    }
    require_own_bytes(zip.get(), count);
    idle_.push_back(std::move(zip));
  }

  const std::vector<ArchiveEntry>& entries() const override { return entries_; }

  std::vector<uint8_t> read(size_t entry) const override {
    check_entry(entry, entries_.size());
    const Lease lease(*this);
    const ZipFile file(zip_fopen_index(lease.zip.get(), indices_[entry], 0));
    if (!file)
      refuse_entry(entries_[entry], std::string("cannot be unpacked: ") + zip_strerror(lease.zip.get()),
                   zip_error_code_zip(zip_get_error(lease.zip.get())));
    std::vector<uint8_t> content(entries_[entry].bytes);
    uint8_t beyond;
    const zip_int64_t got = zip_fread(file.get(), content.data(), content.size());
    // The read past the end makes libzip compare length and checksum.
    const zip_int64_t rest = got == static_cast<zip_int64_t>(content.size()) ? zip_fread(file.get(), &beyond, 1) : -1;
    if (rest != 0) {
      refuse_entry(entries_[entry], std::string("is damaged: ") + zip_file_strerror(file.get()),
                   zip_error_code_zip(zip_file_get_error(file.get())));
    }
    return content;
  }

  Digest digest(size_t entry) const override {
    check_entry(entry, entries_.size());
    const Lease lease(*this);
    zip_stat_t about;
    zip_stat_index(lease.zip.get(), indices_[entry], 0, &about);
    const ZipFile file(zip_fopen_index(lease.zip.get(), indices_[entry], ZIP_FL_COMPRESSED));
    if (!file)
      refuse_entry(entries_[entry], std::string("cannot be read: ") + zip_strerror(lease.zip.get()),
                   zip_error_code_zip(zip_get_error(lease.zip.get())));
    std::vector<uint8_t> packed(about.comp_size);
    if (zip_fread(file.get(), packed.data(), packed.size()) != static_cast<zip_int64_t>(packed.size())) {
      refuse_entry(entries_[entry], "is truncated", zip_error_code_zip(zip_file_get_error(file.get())));
    }
    return pipeline::Hasher()
        .field(int64_t{about.comp_method})
        .field(uint64_t{about.size})
        .bytes(packed.data(), packed.size())
        .finish();
  }

 private:
  // libzip's handle serves one thread: each reader borrows one, opened when none is idle.
  struct Lease {
    explicit Lease(const ZipArchive& of) : archive(of) {
      {
        const std::lock_guard lock(archive.mutex_);
        if (!archive.idle_.empty()) {
          zip = std::move(archive.idle_.back());
          archive.idle_.pop_back();
        }
      }
      if (!zip) zip = open_zip(archive.bytes_, archive.name_);
    }
    ~Lease() {
      const std::lock_guard lock(archive.mutex_);
      archive.idle_.push_back(std::move(zip));
    }
    const ZipArchive& archive;
    Zip zip;
  };

  void check(const std::string& entry, const zip_stat_t& about, const ArchiveLimits& limits) const {
    if (entry.size() > limits.name_length) {
      refuse(name_,
             fmt::format("the name of entry '{}...' has {} bytes, over {} (max_name_length)",
                         printable_name(distributed::beginning_of(entry, 40)), entry.size(), limits.name_length));
    }
    const std::string shown = name_ + ":" + printable_name(entry);
    if (escapes(entry)) refuse(shown, "its name leads out of the archive");
    if (about.encryption_method != ZIP_EM_NONE) refuse(shown, "is encrypted");
    if (about.size > 4096 &&
        static_cast<double>(about.size) > limits.ratio * static_cast<double>(std::max<uint64_t>(about.comp_size, 1))) {
      refuse(shown, fmt::format("{} bytes unpack to {}, over a ratio of {} (max_ratio)", about.comp_size, about.size,
                                limits.ratio));
    }
  }

  // Packed bytes are taken from the archive, each by one entry: what claims more lies about its size, or shares its
  // bytes with others to unpack to more than anyone expects (Fifield, "A better zip bomb", WOOT 2019).
  void require_own_bytes(zip_t* zip, uint64_t count) const {
    const uint64_t bytes = bytes_.memory.empty() ? fs::file_size(bytes_.file) : bytes_.memory.size();
    uint64_t claimed = 0;
    for (uint64_t index = 0; index < count; ++index) {
      zip_stat_t about;
      zip_stat_index(zip, index, 0, &about);
      if (about.comp_size > bytes - claimed) {
        refuse(name_, fmt::format("entry {} and those before it claim {} packed bytes or more, of an archive of {}: it "
                                  "is damaged, or its entries overlap",
                                  index + 1, claimed + (about.comp_size > bytes ? bytes : about.comp_size), bytes));
      }
      claimed += about.comp_size;
    }
  }

  static bool is_link(zip_t* zip, uint64_t index) {
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    if (zip_file_get_external_attributes(zip, index, 0, &system, &attributes) != 0) return false;
    return system == ZIP_OPSYS_UNIX && (attributes >> 16 & 0170000) == 0120000;
  }

  ZipBytes bytes_;
  std::string name_;
  std::vector<ArchiveEntry> entries_;
  std::vector<zip_uint64_t> indices_;
  mutable std::mutex mutex_;
  mutable std::vector<Zip> idle_;
};

class FolderArchive final : public Archive {
 public:
  FolderArchive(fs::path folder, const std::string& name, const ArchiveLimits& limits) : folder_(std::move(folder)) {
    for (const auto& [path, signature] : pipeline::tree_of(folder_)) {
      entries_.push_back(
          {path, name + "/" + printable_name(path), static_cast<uint64_t>(pipeline::size_in(signature)), path});
    }
    if (entries_.size() > limits.entries)
      refuse(name, fmt::format("{} files exceed the limit of {} (max_entries)", entries_.size(), limits.entries));
  }
  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  std::vector<uint8_t> read(size_t entry) const override {
    check_entry(entry, entries_.size());
    return pipeline::read_bytes(folder_ / entries_[entry].name);
  }
  std::vector<uint8_t> begin(size_t entry) const override {
    check_entry(entry, entries_.size());
    return first_bytes(folder_ / entries_[entry].name);
  }
  Digest digest(size_t entry) const override {
    check_entry(entry, entries_.size());
    return pipeline::digest_of_file(folder_ / entries_[entry].name);
  }

 private:
  fs::path folder_;
  std::vector<ArchiveEntry> entries_;
};

}  // namespace

DamagedEntry::DamagedEntry(const ArchiveEntry& entry, const std::string& why)
    : Error(ExitCode::data, entry.shown + ": " + why), without_archive_(printable_name(entry.name) + ": " + why) {}

std::vector<uint8_t> Archive::begin(size_t entry) const {
  std::vector<uint8_t> bytes = read(entry);
  bytes.resize(std::min(bytes.size(), bytes_that_tell));
  return bytes;
}

namespace {

using Archives = std::vector<std::unique_ptr<Archive>>;

// Opens archives in archives and counts what they hold together.
class Opener {
 public:
  explicit Opener(const ArchiveLimits& limits) : limits_(limits) {}

  Archives open(const fs::path& path) {
    const std::string name =
        printable_name(path.filename().empty() ? path.parent_path().filename().string() : path.filename().string());
    pipeline::require_whole_link(path);
    if (fs::is_directory(path)) {
      add_folder(path, name);
    } else {
      if (!fs::exists(path)) refuse(path.string(), "does not exist");
      pipeline::require_regular_file(path);
      add_zip({path, {}}, name, "", 0);
    }
    return std::move(archives_);
  }

 private:
  static bool is_archive(const ArchiveEntry& entry) {
    return ends_with(entry.name, ".zip") && !reason_to_ignore(entry.place);
  }

  // Without images of its own a folder stands for the archives in it: an upstream's output, or a download folder.
  void add_folder(const fs::path& path, const std::string& name) {
    archives_.push_back(std::make_unique<FolderArchive>(path, name, limits_));
    const Archive& folder = *archives_.back();
    const bool own = std::any_of(folder.entries().begin(), folder.entries().end(), [](const ArchiveEntry& entry) {
      return looks_like_image_name(entry.name) && !reason_to_ignore(entry.place);
    });
    for (size_t entry = 0; !own && entry < folder.entries().size(); ++entry) {
      const ArchiveEntry& inner = folder.entries()[entry];
      if (is_archive(inner)) add_zip({path / inner.name, {}}, inner.shown, above(inner), 1);
    }
  }

  void add_zip(ZipBytes bytes, const std::string& name, const std::string& where, int depth) {
    if (depth > limits_.depth)
      refuse(name, fmt::format("lies in more than {} archives, one in the other (max_depth): unpack the outer ones",
                               limits_.depth));
    archives_.push_back(std::make_unique<ZipArchive>(std::move(bytes), name, where, limits_));
    const Archive& zip = *archives_.back();
    for (const ArchiveEntry& entry : zip.entries()) bytes_ += entry.bytes;
    entries_ += zip.entries().size();
    if (entries_ > limits_.entries)
      refuse(name, fmt::format("with it, archives hold over {} entries (max_entries)", limits_.entries));
    if (bytes_ > limits_.bytes)
      refuse(name, fmt::format("with it, archives unpack to over {} bytes (max_gibibytes)", limits_.bytes));
    for (size_t entry = 0; entry < zip.entries().size(); ++entry) {
      const ArchiveEntry& inner = zip.entries()[entry];
      if (is_archive(inner)) add_zip({{}, zip.read(entry)}, inner.shown, above(inner), depth + 1);
    }
  }

  // "data/train.zip" stands for the folder "data/train/".
  static std::string above(const ArchiveEntry& archive) {
    return archive.place.substr(0, archive.place.rfind('.')) + "/";
  }

  const ArchiveLimits& limits_;
  uint64_t entries_ = 0, bytes_ = 0;
  Archives archives_;
};

}  // namespace

std::vector<std::unique_ptr<Archive>> open_archives(const fs::path& path, const ArchiveLimits& limits) {
  return Opener(limits).open(path);
}

}  // namespace penstock::stages
