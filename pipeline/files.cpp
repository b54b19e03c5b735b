#include "pipeline/files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/large_files.h"
#include "pipeline/process_mark.h"
#include "pipeline/tree_walk.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

// Which exit code an errno means when something was to be written.
[[noreturn]] void fail(const fs::path& path, const char* what, int problem) {
  const bool device = problem == ENOSPC || problem == EIO || problem == EDQUOT || problem == EFBIG;
  throw Error(device ? ExitCode::io : ExitCode::cannot_create,
              path.string() + ": cannot " + what + ": " + std::strerror(problem));
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0644)
      : number_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool valid() const { return number_ >= 0; }

 private:
  int number_;
};

void sync_path(const fs::path& path, int flags) {
  const Descriptor opened(path, flags);
  if (!opened.valid()) fail(path, "open to sync", errno);
  if (fsync(opened.number()) != 0) fail(path, "sync", errno);
}

void write_all(int file, const fs::path& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(path, "write", errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

void copy_bytes(const fs::path& from, const fs::path& to) {
  require_regular_file(from);
  const Descriptor source(from, O_RDONLY);
  if (!source.valid()) throw Error(ExitCode::data, from.string() + ": cannot be read: " + std::strerror(errno));
  const Descriptor target(to, O_WRONLY | O_CREAT | O_TRUNC);
  if (!target.valid()) fail(to, "create", errno);
  if (ioctl(target.number(), FICLONE, source.number()) == 0) return;
  std::string part(size_t{1} << 18, '\0');
  ssize_t got;
  while ((got = ::read(source.number(), part.data(), part.size())) > 0) {
    write_all(target.number(), to, std::string_view(part).substr(0, static_cast<size_t>(got)));
  }
  if (got < 0) throw Error(ExitCode::io, from.string() + ": read error: " + std::strerror(errno));
}

FileSignature signature_in(const struct stat& status) {
  const auto nanoseconds = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  return {static_cast<int64_t>(status.st_dev), static_cast<int64_t>(status.st_ino), status.st_size,
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

std::vector<TreeFile> files_in(const fs::path& folder, TreeKind kind) {
  std::vector<TreeFile> files;
  walk_tree(folder, folder.string(), kind, {.file = [&](const std::string& path, const struct stat& status) {
              files.push_back({path, signature_in(status)});
            }});
  std::sort(files.begin(), files.end(), [](const TreeFile& a, const TreeFile& b) { return a.path < b.path; });
  return files;
}

template <typename Bytes>
Bytes content_of(const fs::path& path) {
  require_regular_file(path);
  const Descriptor file(path, O_RDONLY);
  if (!file.valid()) throw Error(ExitCode::data, path.string() + ": cannot be read: " + std::strerror(errno));
  struct stat about = {};
  fstat(file.number(), &about);
  Bytes bytes(static_cast<size_t>(about.st_size), 0);
  size_t done = 0;
  for (;;) {
    if (done == bytes.size()) bytes.resize(bytes.size() + 4096);
    const ssize_t got = ::read(file.number(), bytes.data() + done, bytes.size() - done);
    if (got < 0) throw Error(ExitCode::io, path.string() + ": read error: " + std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

void write_file(const fs::path& path, std::string_view bytes) { write_file(path, std::span(&bytes, 1)); }

void write_file(const fs::path& path, std::span<const std::string_view> pieces) {
  FileWriter file(path);
  for (const std::string_view bytes : pieces) file.write(bytes);
  file.commit();
}

FileWriter::FileWriter(fs::path path) : path_(std::move(path)), fresh_(path_.string() + ".tmp." + unique_suffix()) {
  if (path_.has_parent_path()) make_folder(path_.parent_path());
  file_ = open(fresh_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file_ < 0) fail(fresh_, "create", errno);
}

FileWriter::~FileWriter() {
  if (file_ < 0) return;
  ::close(file_);
  unlink(fresh_.c_str());
}

void FileWriter::write(std::string_view bytes) {
  constexpr size_t together = size_t{1} << 18;
  if (waiting_.size() + bytes.size() > together) flush();
  if (bytes.size() > together)
    write_all(file_, path_, bytes);
  else
    waiting_ += bytes;
}

void FileWriter::flush() {
  write_all(file_, path_, waiting_);
  waiting_.clear();
}

void FileWriter::commit() {
  PENSTOCK_CHECK(file_ >= 0, "a file is committed once");
  flush();
  if (fsync(file_) != 0) fail(path_, "sync", errno);
  if (rename(fresh_.c_str(), path_.c_str()) != 0) fail(path_, "rename into place", errno);
  ::close(file_);
  file_ = -1;
}

void move_into_place(const fs::path& fresh, const fs::path& path) {
  sync_path(fresh, O_RDONLY);
  if (rename(fresh.c_str(), path.c_str()) != 0) fail(path, "rename into place", errno);
}

bool publish_file(const fs::path& path, std::string_view bytes) {
  const fs::path fresh = path.string() + ".new." + unique_suffix();
  write_file(fresh, bytes);
  bool won = link(fresh.c_str(), path.c_str()) == 0;
  if (!won && errno != EEXIST) {
    // No hard links on this file system: renameat2 does not replace either. Where neither works, the last one wins.
    won = renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0;
    if (!won && errno != EEXIST) won = rename(fresh.c_str(), path.c_str()) == 0;
  }
  unlink(fresh.c_str());
  if (!won && access(path.c_str(), F_OK) != 0)
    throw Error(ExitCode::io, path.string() + ": cannot be published: " + std::strerror(errno));
  return won;
}

std::string read_file(const fs::path& path) { return content_of<std::string>(path); }
std::vector<uint8_t> read_bytes(const fs::path& path) { return content_of<std::vector<uint8_t>>(path); }

void make_folder(const fs::path& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) fail(path, "make this folder", problem.value());
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  if (to.has_parent_path()) make_folder(to.parent_path());
  if (link(from.c_str(), to.c_str()) == 0) return;
  // A copy over another name of the same file would empty it.
  if (errno == EEXIST && unlink(to.c_str()) == 0 && link(from.c_str(), to.c_str()) == 0) return;
  if (errno == ENOENT) throw Error(ExitCode::data, from.string() + ": has vanished");
  copy_bytes(from, to);
}

void copy_tree(const fs::path& from, const fs::path& to) {
  if (!fs::is_directory(from)) {
    if (to.has_parent_path()) make_folder(to.parent_path());
    return copy_bytes(from, to);
  }
  make_folder(to);
  walk_tree(from, from.string(), TreeKind::input,
            {.file = [&](const std::string& path, const struct stat&) { copy_bytes(from / path, to / path); },
             .folder = [&](const std::string& path) { make_folder(to / path); }});
}

void sync_tree(const fs::path& path) {
  walk_tree(path, path.string(), TreeKind::stored,
            {.file = [&](const std::string& file, const struct stat&) { sync_path(path / file, O_RDONLY); },
             .folder = [&](const std::string& folder) { sync_folder(path / folder); }});
  sync_folder(path);
}

void sync_folder(const fs::path& path) { sync_path(path, O_RDONLY | O_DIRECTORY); }

FileSignature signature_of(const fs::path& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) return signature_in(status);
    throw Error(ExitCode::data, path.string() + ": is " + kind_name(status.st_mode) +
                                    "; give a regular file or a folder (write what comes from it to a file first)");
  }
  const int problem = errno;
  require_whole_link(path);
  throw Error(ExitCode::data,
              path.string() + (problem == ENOENT ? std::string(" does not exist")
                                                 : ": cannot be read: " + std::string(std::strerror(problem))));
}

std::vector<TreeFile> tree_of(const fs::path& folder) { return files_in(folder, TreeKind::input); }

std::vector<FileEntry> list_tree(const fs::path& folder, const DigestOfFile& digest_of) {
  std::vector<FileEntry> entries;
  for (TreeFile& file : files_in(folder, TreeKind::stored)) {
    const fs::path path = folder / file.path;
    const Digest digest = digest_of ? digest_of(path, file.signature) : digest_of_file(path);
    entries.push_back({std::move(file.path), static_cast<uint64_t>(size_in(file.signature)), digest});
  }
  return entries;
}

Digest digest_of_tree(const std::vector<FileEntry>& entries) {
  Hasher hasher;
  hasher.field("tree").field(static_cast<uint64_t>(entries.size()));
  for (const FileEntry& entry : entries) hasher.field(entry.path).field(entry.size).field(entry.digest);
  return hasher.finish();
}

}  // namespace penstock::pipeline
