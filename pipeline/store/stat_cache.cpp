#include "pipeline/store/stat_cache.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>

#include "distributed/error.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr int64_t racy_nanoseconds = 2'000'000'000;
constexpr const char* cache_name = "stat-cache-2";
constexpr size_t most_entries = 2'000'000;  // 144 MB; beyond, the cache starts empty

struct Entry {
  FileSignature signature;
  Digest digest;
};
static_assert(std::is_trivially_copyable_v<Entry> && sizeof(Entry) == 72, "an entry is written as it lies in memory");

bool operator<(const Entry& a, const Entry& b) { return a.signature < b.signature; }

int64_t now_nanoseconds() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A file's changes show in its times only when they are older than the clock's grain.
bool is_racy(const FileSignature& signature) {
  return now_nanoseconds() - std::max(signature[3], signature[4]) < racy_nanoseconds;
}

void add(Hasher& hasher, const std::string& name, const FileSignature& signature) {
  hasher.field(name).bytes(signature.data(), sizeof signature);
}

}  // namespace

// The file: entries sorted by signature, then the digest of all before it.
struct StatCache::State {
  fs::path file;
  std::vector<Entry> known;  // as loaded, sorted
  std::map<FileSignature, Digest> fresh;
  bool trusting = true;

  void load() {
    std::string bytes;
    try {
      bytes = read_file(file);
    } catch (const Error&) {
      return;
    }
    const size_t size = bytes.size() < sizeof(Digest) ? 0 : bytes.size() - sizeof(Digest);
    if (size == 0 || size % sizeof(Entry) != 0) return;
    if (std::memcmp(digest_of(std::string_view(bytes).substr(0, size)).bytes.data(), bytes.data() + size,
                    sizeof(Digest)) != 0)
      return;
    known.resize(size / sizeof(Entry));
    std::memcpy(known.data(), bytes.data(), size);
  }

  const Digest* find(const FileSignature& signature) const {
    if (!trusting) return nullptr;
    const auto found = std::lower_bound(known.begin(), known.end(), Entry{signature, {}});
    if (found != known.end() && found->signature == signature) return &found->digest;
    const auto added = fresh.find(signature);
    return added == fresh.end() ? nullptr : &added->second;
  }

  Digest digest(const fs::path& path, const FileSignature& signature) {
    if (const Digest* known_digest = find(signature)) return *known_digest;
    const Digest read = digest_of_file(path);
    if (!is_racy(signature) && signature_of(path) == signature) fresh.insert_or_assign(signature, read);
    return read;
  }
};

StatCache::StatCache(const fs::path& folder) : state_(std::make_unique<State>()) {
  state_->file = folder / cache_name;
  state_->load();
}

StatCache::~StatCache() { save(); }

StatCache::Looked StatCache::look(const fs::path& path) {
  Hasher signature;
  const FileSignature own = signature_of(path);
  if (!fs::is_directory(path)) {
    add(signature, "", own);
    return {state_->digest(path, own), signature.finish()};
  }
  std::vector<FileEntry> entries;
  for (TreeFile& file : tree_of(path)) {
    add(signature, file.path, file.signature);
    const Digest digest = state_->digest(path / file.path, file.signature);
    entries.push_back({std::move(file.path), static_cast<uint64_t>(size_in(file.signature)), digest});
  }
  return {digest_of_tree(entries), signature.finish()};
}

void StatCache::distrust() { state_->trusting = false; }

void StatCache::save() {
  State& state = *state_;
  if (state.fresh.empty()) return;
  std::vector<Entry> all;
  for (const auto& [signature, digest] : state.fresh) all.push_back({signature, digest});
  if (state.known.size() + all.size() <= most_entries) {
    for (const Entry& entry : state.known) {
      if (!state.fresh.count(entry.signature)) all.push_back(entry);
    }
  }
  std::sort(all.begin(), all.end());
  std::string bytes(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(Entry));
  const Digest check = digest_of(bytes);
  bytes.append(reinterpret_cast<const char*>(check.bytes.data()), check.bytes.size());
  try {
    write_file(state.file, bytes);
  } catch (const Error&) {
    // Only speed is lost.
  }
  state.known = std::move(all);
  state.fresh.clear();
}

Digest stat_signature(const fs::path& path) {
  Hasher hasher;
  if (!fs::is_directory(path)) {
    add(hasher, "", signature_of(path));
  } else {
    for (const TreeFile& file : tree_of(path)) add(hasher, file.path, file.signature);
  }
  return hasher.finish();
}

fs::path user_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
    return fs::path(cache) / "penstock";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/tmp") / ".cache" / "penstock";
}

}  // namespace penstock::pipeline
