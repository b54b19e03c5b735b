#include "pipeline/store/store_inventory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/side_by_side.h"
#include "pipeline/store/lease.h"
#include "pipeline/store/store_pins.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t digest_digits = 64;

Time time_of(const timespec& time) {
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::seconds(time.tv_sec) +
                                                         std::chrono::nanoseconds(time.tv_nsec)));
}

Time written_at(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 ? time_of(status.st_mtim) : Time();
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::optional<Digest> digest_in(const std::string& name) {
  const bool hex = name.size() == digest_digits && name.find_first_not_of("0123456789abcdef") == std::string::npos;
  return hex ? std::optional(Digest::from_hex(name)) : std::nullopt;
}

// Entries whose names are digests; what a killed process left half-made beside them has other names.
std::vector<Digest> digests_in(const fs::path& folder) {
  std::vector<Digest> digests;
  for (const fs::path& entry : entries_of(folder)) {
    if (const auto digest = digest_in(entry.filename().string())) digests.push_back(*digest);
  }
  return digests;
}

void add_below(int descriptor, Stored& stored) {
  DIR* folder = descriptor < 0 ? nullptr : fdopendir(descriptor);
  if (folder == nullptr) return;  // vanished
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(folder, closedir);
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    struct stat status = {};
    if (name == "." || name == ".." || fstatat(descriptor, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    stored.written = std::max(stored.written, time_of(status.st_mtim));
    if (S_ISDIR(status.st_mode))
      add_below(openat(descriptor, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), stored);
    else
      stored.files.push_back({status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size)});
  }
}

// What a process of this store, somewhere, would see on its clock now: the time of a file that is made for it.
Time clock_of(const fs::path& root) {
  const fs::path file = root / "staging" / ("clock." + unique_suffix());
  const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return std::chrono::system_clock::now();
  close(descriptor);
  const Time now = written_at(file);
  unlink(file.c_str());
  return now;
}

std::map<Digest, Stored> stored_below(const fs::path& folder, int threads, bool is_sealed) {
  const std::vector<Digest> names = digests_in(folder);
  std::vector<Stored> all(names.size());
  side_by_side(names.size(), threads, [&](size_t index) {
    const fs::path path = folder / names[index].hex();
    all[index] = stored_at(path);
    if (!is_sealed) return;
    struct stat status = {};
    all[index].written = written_at(path);
    if (stat((path / "list.json").c_str(), &status) == 0) all[index].list_bytes = static_cast<uint64_t>(status.st_size);
  });
  std::map<Digest, Stored> found;
  for (size_t index = 0; index < names.size(); ++index)
    found.emplace_hint(found.end(), names[index], std::move(all[index]));
  return found;
}

std::optional<Publication> publication_at(const fs::path& file) {
  try {
    return Publication::from_text(read_file(file));
  } catch (const Error&) {
    return std::nullopt;  // vanished
  }
}

std::optional<StoredPublication> stored_publication(const Store& store, const Digest& key) {
  const fs::path file = store.root() / "actions" / key.hex();
  auto publication = publication_at(file);
  if (!publication || publication->action != key) return std::nullopt;
  StoredPublication one;
  const auto manifest = store.manifest(*publication);
  one.stage = manifest ? manifest->stage : publication->kind;
  one.used = written_at(file);
  one.published =
      std::min(one.used, written_at(store.root() / "manifests" / publication->kind / publication->manifest.hex()));
  one.pinned = is_pinned(store, key);
  one.publication = std::move(*publication);
  return one;
}

// A recipe that was written lately shows that its publication is in use. One that names something else than its action
// key does, since that was replaced, belongs to none.
void assign_recipes(Inventory& inventory) {
  for (const StoredRecipe& recipe : inventory.recipes) {
    if (!recipe.publication) continue;
    auto* publication = const_cast<StoredPublication*>(inventory.publication(recipe.publication->action));
    if (publication == nullptr || publication->publication.to_text() != recipe.publication->to_text()) continue;
    publication->recipes.push_back(recipe.key);
    publication->used = std::max(publication->used, recipe.written);
  }
}

StagingEntry staging_entry(const fs::path& path) {
  const std::string name = path.filename().string();
  StagingEntry entry{path, digest_in(name.substr(0, name.find('.'))), Life::unknown, {}, stored_at(path)};
  if (const auto mark = mark_in(name)) entry.life = life_of(*mark);
  if (path.extension() == ".reads") {
    try {
      std::istringstream lines(read_file(path));
      for (std::string line; std::getline(lines, line);) {
        if (const auto digest = digest_in(line)) entry.reads.push_back(*digest);
      }
    } catch (const Error&) {
      // vanished
    }
  }
  return entry;
}

LeaseEntry lease_entry(const fs::path& path) {
  const std::string name = path.filename().string();
  LeaseEntry entry{path, digest_in(name), Life::unknown, written_at(path)};
  const auto holder = entry.action ? read_lease(path) : std::nullopt;
  if (holder)
    entry.life = life_of(*holder);
  else if (const auto mark = mark_in(name))
    entry.life = life_of(*mark);
  return entry;
}

}  // namespace

uint64_t Stored::bytes() const {
  uint64_t sum = 0;
  for (const FileUse& file : files) sum += file.bytes;
  return sum;
}

const StoredPublication* Inventory::publication(const Digest& action) const {
  const auto found =
      std::lower_bound(publications.begin(), publications.end(), action,
                       [](const StoredPublication& one, const Digest& key) { return one.publication.action < key; });
  return found != publications.end() && found->publication.action == action ? &*found : nullptr;
}

Stored stored_at(const fs::path& path) {
  Stored stored;
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return stored;
  stored.written = time_of(status.st_mtim);
  if (S_ISDIR(status.st_mode))
    add_below(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), stored);
  else
    stored.files.push_back({status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size)});
  return stored;
}

std::vector<StagingEntry> staging_of(const Store& store) {
  std::vector<StagingEntry> entries;
  for (const fs::path& path : entries_of(store.root() / "staging")) entries.push_back(staging_entry(path));
  std::vector<fs::path> tables = entries_of(store.root() / "manifests");
  for (const char* table : {"actions", "recipes", "buckets", "pins"}) tables.push_back(store.root() / table);
  for (const fs::path& table : tables) {
    for (const fs::path& path : entries_of(table)) {
      if (!digest_in(path.filename().string())) entries.push_back(staging_entry(path));
    }
  }
  return entries;
}

std::vector<LeaseEntry> leases_of(const Store& store) {
  std::vector<LeaseEntry> entries;
  for (const fs::path& path : entries_of(store.root() / "leases")) entries.push_back(lease_entry(path));
  return entries;
}

std::vector<StoredPublication> publications_of(const Store& store, int threads) {
  const std::vector<Digest> keys = digests_in(store.root() / "actions");
  std::vector<std::optional<StoredPublication>> all(keys.size());
  side_by_side(keys.size(), threads, [&](size_t index) { all[index] = stored_publication(store, keys[index]); });
  std::vector<StoredPublication> found;
  for (auto& one : all) {
    if (one) found.push_back(std::move(*one));
  }
  return found;
}

std::vector<StoredRecipe> recipes_of(const Store& store, int threads) {
  const std::vector<Digest> keys = digests_in(store.root() / "recipes");
  std::vector<StoredRecipe> recipes(keys.size());
  side_by_side(keys.size(), threads, [&](size_t index) {
    const fs::path file = store.root() / "recipes" / keys[index].hex();
    recipes[index] = {keys[index], written_at(file), publication_at(file)};
  });
  return recipes;
}

Inventory take_inventory(const Store& store, int threads) {
  const fs::path& root = store.root();
  if (!fs::exists(root / "format-version"))
    throw Error(ExitCode::data,
                root.string() + ": there is no store here; name one with --store DIR, or a configuration");
  Inventory inventory;
  inventory.now = clock_of(root);
  // Staging and leases first: what is begun after that is younger than any grace.
  inventory.leases = leases_of(store);
  inventory.staging = staging_of(store);
  inventory.publications = publications_of(store, threads);
  inventory.recipes = recipes_of(store, threads);
  assign_recipes(inventory);
  for (const Digest& key : digests_in(root / "actions")) {
    if (inventory.publication(key) == nullptr && fs::exists(root / "actions" / key.hex()) &&
        !stored_publication(store, key))
      inventory.damaged_keys.push_back(key);
  }
  for (const fs::path& kind : entries_of(root / "manifests")) {
    for (const Digest& digest : digests_in(kind))
      inventory.manifests.push_back({kind / digest.hex(), digest, written_at(kind / digest.hex())});
  }
  inventory.buckets = read_bucket_lists(store);
  inventory.objects = stored_below(root / "objects", threads, true);
  inventory.chunks = stored_below(root / "chunks", threads, true);
  inventory.progress = stored_below(root / "progress", threads, false);
  inventory.attempts = stored_below(root / "attempts", threads, false);
  for (const fs::path& path : entries_of(root / "nondeterminism")) {
    const std::string name = path.filename().string();
    if (const auto action = digest_in(name.substr(0, name.find('.')))) inventory.nondeterminism.emplace(*action, path);
  }
  for (const Digest& family : digests_in(root / "families")) {
    for (const Digest& action : digests_in(root / "families" / family.hex())) inventory.families[family].insert(action);
  }
  return inventory;
}

Room::Room(const Inventory& inventory) {
  for (const auto* table : {&inventory.objects, &inventory.chunks, &inventory.progress, &inventory.attempts}) {
    for (const auto& [name, stored] : *table) add(stored);
  }
  for (const StagingEntry& entry : inventory.staging) add(entry.stored);
}

void Room::add(const Stored& stored) {
  for (const FileUse& file : stored.files) {
    Use& use = files_[{file.device, file.inode}];
    if (use.holders++ > 0) continue;
    use.bytes = file.bytes;
    bytes_ += file.bytes;
  }
}

uint64_t Room::remove(const Stored& stored) {
  uint64_t freed = 0;
  for (const FileUse& file : stored.files) {
    const auto use = files_.find({file.device, file.inode});
    if (use != files_.end() && --use->second.holders == 0) freed += use->second.bytes;
  }
  bytes_ -= freed;
  return freed;
}

uint64_t Room::shared(const Stored& stored) const {
  uint64_t sum = 0;
  for (const FileUse& file : stored.files) {
    const auto use = files_.find({file.device, file.inode});
    if (use != files_.end() && use->second.holders > 1) sum += file.bytes;
  }
  return sum;
}

}  // namespace penstock::pipeline
