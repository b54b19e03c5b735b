#include "pipeline/stat_cache.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>

#include "distributed/error.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr int64_t racy_seconds = 2;
constexpr const char* cache_name = "stat-cache-1";

// Device, inode, size, mtime and ctime in nanoseconds: whoever rewrites a file changes at least its ctime.
using Signature = std::array<int64_t, 5>;

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

struct stat status_of(const fs::path& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    throw Error(ExitCode::data, path.string() + (errno == ENOENT ? std::string(" does not exist")
                                                                 : ": cannot be read: " + std::string(std::strerror(errno))));
  }
  return status;
}

Signature signature_of(const struct stat& status) {
  return {static_cast<int64_t>(status.st_dev), static_cast<int64_t>(status.st_ino), status.st_size,
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

}  // namespace

struct StatCache::State {
  fs::path file;
  std::map<Signature, Digest> known;
  bool trusting = true;
  bool changed = false;

  Digest file_digest(const fs::path& path) {
    const struct stat before = status_of(path);
    const Signature signature = signature_of(before);
    if (const auto found = known.find(signature); trusting && found != known.end()) return found->second;
    const Digest digest = digest_of_file(path);
    // A file that was just written may be written again without a visible change of its times.
    const bool racy = time(nullptr) - std::max(before.st_mtim.tv_sec, before.st_ctim.tv_sec) < racy_seconds;
    if (!racy && signature_of(status_of(path)) == signature) {
      known.insert_or_assign(signature, digest);
      changed = true;
    }
    return digest;
  }
};

StatCache::StatCache(fs::path folder) : state_(std::make_unique<State>()) {
  state_->file = folder / cache_name;
  std::ifstream in(state_->file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Signature signature;
    for (int64_t& part : signature) words >> part;
    std::string hex;
    if (!(words >> hex) || hex.size() != 64) continue;
    try {
      state_->known.emplace(signature, Digest::from_hex(hex));
    } catch (const Error&) {
      // A damaged line is an unknown file.
    }
  }
}

StatCache::~StatCache() { save(); }

Digest StatCache::digest(const fs::path& path) {
  if (!fs::is_directory(path)) return state_->file_digest(path);
  std::vector<FileEntry> entries;
  for (const std::string& name : tree_paths(path)) {
    entries.push_back({name, static_cast<uint64_t>(status_of(path / name).st_size), state_->file_digest(path / name)});
  }
  return digest_of_tree(entries);
}

void StatCache::distrust() { state_->trusting = false; }

void StatCache::save() {
  if (!state_->changed) return;
  std::ostringstream text;
  for (const auto& [signature, digest] : state_->known) {
    for (const int64_t part : signature) text << part << ' ';
    text << digest.hex() << '\n';
  }
  try {
    write_file(state_->file, text.str());
    state_->changed = false;
  } catch (const Error&) {
    // Only speed is lost.
  }
}

Digest stat_signature(const fs::path& path) {
  Hasher hasher;
  const auto add = [&hasher](const std::string& name, const fs::path& file) {
    hasher.field(name);
    for (const int64_t part : signature_of(status_of(file))) hasher.field(part);
  };
  add("", path);
  if (fs::is_directory(path)) {
    for (const std::string& name : tree_paths(path)) add(name, path / name);
  }
  return hasher.finish();
}

fs::path user_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') return fs::path(cache) / "penstock";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/tmp") / ".cache" / "penstock";
}

}  // namespace penstock::pipeline
