#include "pipeline/store/store_verify.h"

#include <algorithm>

#include "pipeline/side_by_side.h"
#include "pipeline/store/sealed_folder.h"
#include "pipeline/store/store_gc.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

using Stages = std::map<Digest, std::vector<std::string>>;

void add(Stages& stages, const Digest& digest, const std::string& stage) {
  auto& all = stages[digest];
  if (std::find(all.begin(), all.end(), stage) == all.end()) all.push_back(stage);
}

// Digests of a table whose files are not what their list says. `is_good` reads one.
std::vector<Digest> bad_in(const std::map<Digest, Stored>& table, const fs::path& folder, int threads,
                           const std::function<bool(const Digest&, const fs::path&)>& is_good) {
  std::vector<Digest> names;
  for (const auto& [name, stored] : table) names.push_back(name);
  std::vector<char> good(names.size());
  side_by_side(names.size(), threads, [&](size_t index) {
    const fs::path holder = folder / names[index].hex();
    good[index] = is_good(names[index], holder) || !fs::exists(holder);
  });
  std::vector<Digest> bad;
  for (size_t index = 0; index < names.size(); ++index) {
    if (!good[index]) bad.push_back(names[index]);
  }
  return bad;
}

// Keys whose outputs are not all there.
class KeyCheck {
 public:
  KeyCheck(const Store& store, const Inventory& inventory, std::set<Digest> bad_objects)
      : store_(store), inventory_(inventory), bad_(std::move(bad_objects)) {
    removed_.deadline = inventory.now;  // a key that is published while we look stays
  }

  void check(Verification& found) {
    for (const Digest& key : inventory_.damaged_keys) report(found, "actions", key, {}, "cannot be read");
    for (const StoredPublication& one : inventory_.publications) {
      if (!is_whole(one.publication))
        report(found, "actions", one.publication.action, {one.stage}, "names an output that is bad or gone");
    }
    for (const StoredRecipe& recipe : inventory_.recipes) {
      if (!recipe.publication)
        report(found, "recipes", recipe.key, {}, "cannot be read");
      else if (!is_whole(*recipe.publication))
        report(found, "recipes", recipe.key, {stage_of(*recipe.publication)}, "names an output that is bad or gone");
    }
    found.keys = inventory_.publications.size() + inventory_.recipes.size() + inventory_.damaged_keys.size();
  }

  void remove() const { collect(store_, removed_); }

 private:
  bool is_whole(const Publication& publication) const {
    return std::all_of(publication.ports.begin(), publication.ports.end(), [this](const PublishedPort& port) {
      return !bad_.count(port.digest) &&
             (inventory_.objects.count(port.digest) || is_sealed(store_.object(port.digest)));
    });
  }
  std::string stage_of(const Publication& publication) const {
    const auto manifest = store_.manifest(publication);
    return manifest ? manifest->stage : publication.kind;
  }
  void report(Verification& found, const char* table, const Digest& key, const std::vector<std::string>& stages,
              const std::string& problem) {
    found.bad.push_back({"key", key, stages, problem});
    removed_.condemned.push_back({Remnant::key, key, "", problem, 0, {store_.root() / table / key.hex()}});
  }

  const Store& store_;
  const Inventory& inventory_;
  std::set<Digest> bad_;
  Collection removed_;
};

}  // namespace

Verification verify_store(const Store& store, bool repair, int threads) {
  const Inventory inventory = take_inventory(store, threads);
  Stages of_objects, of_chunks;
  for (const StoredPublication& one : inventory.publications) {
    for (const PublishedPort& port : one.publication.ports) add(of_objects, port.digest, one.stage);
  }
  for (const auto& [action, list] : inventory.buckets) {
    for (const Digest& chunk : list.chunks) add(of_chunks, chunk, list.stage);
  }
  Verification found;
  const auto objects = bad_in(inventory.objects, store.root() / "objects", threads,
                              [](const Digest& digest, const fs::path& holder) { return verified(holder) == digest; });
  for (const Digest& digest : objects) found.bad.push_back({"object", digest, of_objects[digest], "is damaged"});
  const auto chunks = bad_in(inventory.chunks, store.root() / "chunks", threads,
                             [](const Digest&, const fs::path& holder) { return verified(holder).has_value(); });
  for (const Digest& digest : chunks) found.bad.push_back({"chunk", digest, of_chunks[digest], "is damaged"});
  KeyCheck keys(store, inventory, {objects.begin(), objects.end()});
  keys.check(found);
  if (repair) {
    for (const Digest& digest : objects) store.move_aside(digest);
    for (const Digest& digest : chunks) store.find_chunk(digest);  // moves it aside when it is still bad
    keys.remove();
  }
  found.objects = inventory.objects.size();
  found.chunks = inventory.chunks.size();
  for (const auto* table : {&inventory.objects, &inventory.chunks}) {
    for (const auto& [name, stored] : *table) found.bytes += stored.bytes();
  }
  return found;
}

}  // namespace penstock::pipeline
