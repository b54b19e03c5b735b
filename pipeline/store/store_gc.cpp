#include "pipeline/store/store_gc.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/counted.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

std::string age_text(std::chrono::nanoseconds age) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  return hours < 48 ? counted(hours, "hour") : counted(hours / 24, "day");
}

class Collector {
 public:
  Collector(const Store& store, const Inventory& inventory, const CollectionRequest& request)
      : store_(store),
        inventory_(inventory),
        request_(request),
        room_(inventory),
        deadline_(inventory.now - request.grace) {
    plan_.bytes = room_.bytes();
    plan_.deadline = deadline_;
  }

  Collection plan() {
    find_protected();
    count_references();
    drop_leftovers();
    drop_bad_keys();
    drop_manifests();
    drop_what_is_done_with();
    if (request_.older_than) drop_unused();
    if (request_.max_bytes) drop_until_it_fits();
    return std::move(plan_);
  }

 private:
  struct Candidate {
    Time used;
    Digest action;
    const StoredPublication* publication;  // null: unfinished work
  };

  bool is_young(Time time) const { return time >= deadline_; }
  bool is_live(const Digest& action) const { return inventory_.publication(action) != nullptr && !gone_.count(action); }

  // Names what its action key names.
  bool is_current(const StoredRecipe& recipe) const {
    const StoredPublication* named = recipe.publication ? inventory_.publication(recipe.publication->action) : nullptr;
    return named != nullptr && named->publication.to_text() == recipe.publication->to_text();
  }

  void find_protected() {
    busy_ = busy_in(store_, inventory_.staging, inventory_.leases, deadline_);
    protected_ = busy_.actions;
    protected_.insert(request_.keep.begin(), request_.keep.end());
    for (const StoredPublication& one : inventory_.publications) {
      const auto& ports = one.publication.ports;
      const bool read = std::any_of(ports.begin(), ports.end(),
                                    [&](const PublishedPort& port) { return busy_.reads.count(port.digest) != 0; });
      if (one.pinned || read || is_young(one.used)) protected_.insert(one.publication.action);
    }
    // A stage that trains longer continues from a relative's progress.
    for (const auto& [family, members] : inventory_.families) {
      if (std::any_of(members.begin(), members.end(),
                      [&](const Digest& action) { return busy_.actions.count(action) != 0; })) {
        busy_relatives_.insert(members.begin(), members.end());
      }
    }
  }

  void count_references() {
    for (const StoredPublication& one : inventory_.publications) {
      for (const PublishedPort& port : one.publication.ports) ++references_[port.digest];
    }
    for (const StoredRecipe& recipe : inventory_.recipes) {  // a young one stays, whatever it names
      if (!recipe.publication || !is_young(recipe.written) || is_current(recipe)) continue;
      for (const PublishedPort& port : recipe.publication->ports) ++references_[port.digest];
    }
    for (const auto& [action, list] : inventory_.buckets) {
      for (const Digest& chunk : list.chunks) users_[chunk].insert(action);
    }
  }

  void condemn(Remnant kind, const Digest& digest, const std::string& stage, const std::string& why, uint64_t bytes,
               std::vector<fs::path> paths) {
    plan_.condemned.push_back({kind, digest, stage, why, bytes, std::move(paths)});
  }

  // ---- what cannot be used any more ----

  void drop_leftovers() {
    for (const StagingEntry& entry : inventory_.staging) {
      const bool gone = entry.life == Life::gone;
      const bool busy = entry.action && busy_.actions.count(*entry.action);
      if (!gone && (entry.life == Life::alive || busy || is_young(entry.stored.written))) continue;
      condemn(Remnant::staging, {}, "",
              gone ? "left behind by a process that has ended"
                   : "left behind elsewhere, unchanged for " + age_text(inventory_.now - entry.stored.written),
              room_.remove(entry.stored), {entry.path});
    }
    for (const LeaseEntry& entry : inventory_.leases) {
      const bool gone = entry.life == Life::gone;
      if (!gone && (entry.life == Life::alive || is_young(entry.written))) continue;
      condemn(Remnant::lease, {}, "",
              gone ? "its holder has ended" : "no beat for " + age_text(inventory_.now - entry.written), 0,
              {entry.path});
    }
  }

  void drop_bad_keys() {
    for (const Digest& key : inventory_.damaged_keys) {
      condemn(Remnant::key, key, "", "cannot be read", 0, {store_.root() / "actions" / key.hex()});
    }
    for (const StoredPublication& one : inventory_.publications) {
      const auto& ports = one.publication.ports;
      const bool whole = std::all_of(ports.begin(), ports.end(), [&](const PublishedPort& port) {
        return inventory_.objects.count(port.digest) != 0;
      });
      if (!whole && !is_young(one.used)) drop(one, "its output is gone");
    }
    for (const StoredRecipe& recipe : inventory_.recipes) {
      if (is_young(recipe.written) || is_current(recipe)) continue;
      condemn(Remnant::key, recipe.key, "",
              recipe.publication ? "names an output that is gone or was replaced" : "cannot be read", 0,
              {store_.root() / "recipes" / recipe.key.hex()});
    }
  }

  // Of outputs that were replaced, or whose key is long gone.
  void drop_manifests() {
    std::set<Digest> named;
    for (const StoredPublication& one : inventory_.publications) named.insert(one.publication.manifest);
    for (const StoredManifest& one : inventory_.manifests) {
      if (!named.count(one.digest) && !is_young(one.written))
        condemn(Remnant::key, one.digest, "", "a manifest that no key names", 0, {one.path});
    }
  }

  void drop_what_is_done_with() {
    for (const auto& [action, progress] : inventory_.progress) {
      const bool kept = request_.keep.count(action) || busy_.actions.count(action) || busy_relatives_.count(action);
      const StoredPublication* one = inventory_.publication(action);
      if (is_live(action) && !one->pinned && !kept) drop_progress(*one, "its stage is published");
    }
    for (const auto& [digest, object] : inventory_.objects) {
      if (references_.count(digest) == 0) drop_object(digest, "", "no key names it");
    }
    for (const auto& [digest, chunk] : inventory_.chunks) {
      const auto users = users_.find(digest);
      if (users == users_.end() || !std::all_of(users->second.begin(), users->second.end(), [this](const Digest& user) {
            return is_live(user) && !request_.keep.count(user) && !busy_.actions.count(user);
          }))
        continue;
      if (2 * room_.shared(chunk) < chunk.bytes() - chunk.list_bytes) drop_chunk(digest, "its stage is published");
    }
  }

  // ---- what is not used ----

  std::vector<Candidate> candidates() const {
    std::vector<Candidate> all;
    for (const StoredPublication& one : inventory_.publications) {
      const Digest& action = one.publication.action;
      if (!gone_.count(action) && !protected_.count(action)) all.push_back({one.used, action, &one});
    }
    std::map<Digest, Time> unfinished;
    for (const auto* table : {&inventory_.progress, &inventory_.attempts}) {
      for (const auto& [action, stored] : *table) {
        if (inventory_.publication(action) != nullptr) continue;
        Time& written = unfinished[action];
        written = std::max(written, stored.written);
      }
    }
    for (const auto& [action, written] : unfinished) {
      const bool kept = protected_.count(action) || busy_relatives_.count(action) || is_young(written);
      if (!kept && !gone_.count(action)) all.push_back({written, action, nullptr});
    }
    std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.used, a.action) < std::tie(b.used, b.action);
    });
    return all;
  }

  // Parts that no stage claims, oldest first.
  std::vector<std::pair<Time, Digest>> loose_chunks() const {
    std::vector<std::pair<Time, Digest>> loose;
    for (const auto& [digest, chunk] : inventory_.chunks) {
      if (users_.count(digest) == 0 && !is_young(chunk.written)) loose.emplace_back(chunk.written, digest);
    }
    std::sort(loose.begin(), loose.end());
    return loose;
  }

  void drop_unused() {
    const Time limit = inventory_.now - *request_.older_than;
    for (const auto& [written, digest] : loose_chunks()) {
      if (written < limit) drop_chunk(digest, "not used for " + age_text(inventory_.now - written));
    }
    for (const Candidate& one : candidates()) {
      if (one.used < limit) drop(one, "not used for " + age_text(inventory_.now - one.used));
    }
  }

  void drop_until_it_fits() {
    const std::string why = "the least recently used, to make the store fit";
    for (const auto& [written, digest] : loose_chunks()) {
      if (room_.bytes() <= *request_.max_bytes) return;
      drop_chunk(digest, why);
    }
    for (const Candidate& one : candidates()) {
      if (room_.bytes() <= *request_.max_bytes) return;
      drop(one, why);
    }
  }

  // ---- one thing and what goes with it ----

  void drop(const Candidate& one, const std::string& why) {
    if (one.publication != nullptr)
      drop(*one.publication, why);
    else
      drop_unfinished(one.action, why);
  }

  void drop(const StoredPublication& one, const std::string& why) {
    const Digest& action = one.publication.action;
    gone_.insert(action);
    std::vector<fs::path> paths;
    for (const Digest& recipe : one.recipes) paths.push_back(store_.root() / "recipes" / recipe.hex());
    paths.push_back(store_.root() / "actions" / action.hex());
    paths.push_back(store_.root() / "manifests" / one.publication.kind / one.publication.manifest.hex());
    const uint64_t freed = drop_records(action, paths);
    condemn(Remnant::publication, action, one.stage, why, freed, std::move(paths));
    if (!busy_relatives_.count(action)) drop_progress(one, why);
    for (const PublishedPort& port : one.publication.ports) {
      if (--references_[port.digest] == 0) drop_object(port.digest, one.stage, why);
    }
    drop_chunks_of(action, why);
  }

  void drop_progress(const StoredPublication& one, const std::string& why) {
    const Digest& action = one.publication.action;
    const auto progress = inventory_.progress.find(action);
    if (progress == inventory_.progress.end() || is_young(progress->second.written) ||
        !dropped_progress_.insert(action).second)
      return;
    condemn(Remnant::progress, action, one.stage, why, room_.remove(progress->second), progress_paths(action));
  }

  void drop_unfinished(const Digest& action, const std::string& why) {
    gone_.insert(action);
    std::vector<fs::path> paths = progress_paths(action);
    uint64_t freed = drop_records(action, paths);
    if (const auto progress = inventory_.progress.find(action); progress != inventory_.progress.end())
      freed += room_.remove(progress->second);
    const auto list = inventory_.buckets.find(action);
    condemn(Remnant::unfinished, action, list == inventory_.buckets.end() ? "" : list->second.stage, why, freed, paths);
    drop_chunks_of(action, why);
  }

  // Attempts, list of parts, records of nondeterminism.
  uint64_t drop_records(const Digest& action, std::vector<fs::path>& paths) {
    paths.push_back(store_.root() / "attempts" / action.hex());
    paths.push_back(store_.root() / "buckets" / action.hex());
    const auto [first, last] = inventory_.nondeterminism.equal_range(action);
    for (auto record = first; record != last; ++record) paths.push_back(record->second);
    const auto attempts = inventory_.attempts.find(action);
    return attempts == inventory_.attempts.end() ? 0 : room_.remove(attempts->second);
  }

  std::vector<fs::path> progress_paths(const Digest& action) const {
    std::vector<fs::path> paths = {store_.root() / "progress" / action.hex()};
    for (const auto& [family, members] : inventory_.families) {
      if (members.count(action)) paths.push_back(store_.root() / "families" / family.hex() / action.hex());
    }
    return paths;
  }

  void drop_object(const Digest& digest, const std::string& stage, const std::string& why) {
    const auto object = inventory_.objects.find(digest);
    if (object == inventory_.objects.end() || is_young(object->second.written) || busy_.reads.count(digest)) return;
    condemn(Remnant::object, digest, stage, why, room_.remove(object->second), {store_.object(digest)});
  }

  void drop_chunk(const Digest& digest, const std::string& why) {
    const auto chunk = inventory_.chunks.find(digest);
    if (chunk == inventory_.chunks.end() || is_young(chunk->second.written) || !dropped_chunks_.insert(digest).second)
      return;
    const auto users = users_.find(digest);
    const std::string stage = users == users_.end() ? "" : inventory_.buckets.at(*users->second.begin()).stage;
    condemn(Remnant::chunk, digest, stage, why, room_.remove(chunk->second), {store_.root() / "chunks" / digest.hex()});
  }

  // The chunks that no other stage's list names.
  void drop_chunks_of(const Digest& action, const std::string& why) {
    const auto list = inventory_.buckets.find(action);
    if (list == inventory_.buckets.end()) return;
    for (const Digest& chunk : list->second.chunks) {
      const auto& users = users_.at(chunk);
      if (std::all_of(users.begin(), users.end(), [this](const Digest& user) { return gone_.count(user) != 0; }))
        drop_chunk(chunk, why);
    }
  }

  const Store& store_;
  const Inventory& inventory_;
  const CollectionRequest& request_;
  Room room_;
  const Time deadline_;
  Collection plan_;
  Busy busy_;
  std::set<Digest> protected_, busy_relatives_;  // action keys
  std::set<Digest> gone_;                        // action keys, published or not
  std::map<Digest, int> references_;             // of objects, by keys that stay
  std::map<Digest, std::set<Digest>> users_;     // chunk -> the actions whose lists name it
  std::set<Digest> dropped_chunks_, dropped_progress_;
};

}  // namespace

const char* name_of(Remnant kind) {
  switch (kind) {
    case Remnant::publication:
      return "publication";
    case Remnant::unfinished:
      return "unfinished";
    case Remnant::object:
      return "object";
    case Remnant::chunk:
      return "chunk";
    case Remnant::progress:
      return "progress";
    case Remnant::staging:
      return "staging";
    case Remnant::lease:
      return "lease";
    case Remnant::key:
      break;
  }
  return "key";
}

uint64_t Collection::freed() const {
  uint64_t sum = 0;
  for (const Condemned& one : condemned) sum += one.bytes;
  return sum;
}

Busy busy_in(const Store& store, const std::vector<StagingEntry>& staging, const std::vector<LeaseEntry>& leases,
             Time deadline) {
  Busy busy;
  for (const LeaseEntry& entry : leases) {
    const bool held = entry.life == Life::alive || (entry.life == Life::unknown && entry.written >= deadline);
    if (entry.action && held) busy.actions.insert(*entry.action);
  }
  for (const StagingEntry& entry : staging) {
    if (!entry.action || entry.life == Life::gone) continue;
    // Elsewhere: staging may stay empty for days while the stage writes its progress, and holds its lease.
    const bool at_work = entry.life == Life::alive || busy.actions.count(*entry.action) ||
                         entry.stored.written >= deadline ||
                         stored_at(store.root() / "progress" / entry.action->hex()).written >= deadline;
    if (!at_work) continue;
    busy.actions.insert(*entry.action);
    busy.reads.insert(entry.reads.begin(), entry.reads.end());
  }
  return busy;
}

Collection plan_collection(const Store& store, const Inventory& inventory, const CollectionRequest& request) {
  return Collector(store, inventory, request).plan();
}

}  // namespace penstock::pipeline
