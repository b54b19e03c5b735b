// The second half of the clean-up: removes what store_gc.cpp decided.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/side_by_side.h"
#include "pipeline/store/lease.h"
#include "pipeline/store/store_gc.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr int deleters = 8;  // threads
constexpr int batch = 1024;  // entries that wait in the trash at most

// Where things go before they are deleted. Empties itself; what a killed clean-up leaves here is staging of a dead
// process.
class Trash {
 public:
  Trash(const Store& store, Time deadline)
      : folder_(store.root() / "staging" / ("trash." + unique_suffix())), deadline_(deadline) {
    make_folder(folder_);
  }
  ~Trash() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  // Whatever its times. False: it was gone.
  bool take(const fs::path& path) { return !move(path).empty(); }

  // Unless it was made, used or replaced since the deadline. A process that touches it in this moment does so before
  // the rename, and it is put back, or after, and finds it gone.
  bool take_if_old(const fs::path& path) {
    if (is_young(path)) return false;
    const fs::path taken = move(path);
    if (taken.empty()) return false;
    if (!is_young(taken)) return true;
    renameat2(AT_FDCWD, taken.c_str(), AT_FDCWD, path.c_str(),
              RENAME_NOREPLACE);  // fails when another was made: that one stays
    return false;
  }

  // Deletes what was taken so far: by several threads, since most of the time is waiting for the file system.
  void empty() {
    side_by_side(static_cast<size_t>(count_ - deleted_), deleters, [this](size_t index) {
      std::error_code ignored;
      fs::remove_all(folder_ / std::to_string(deleted_ + static_cast<int>(index)), ignored);
    });
    deleted_ = count_;
  }
  int waiting() const { return count_ - deleted_; }

 private:
  bool is_young(const fs::path& path) const {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) return false;
    return Time(std::chrono::seconds(status.st_mtim.tv_sec)) >= deadline_;
  }

  fs::path move(const fs::path& path) {
    const fs::path taken = folder_ / std::to_string(count_);
    if (rename(path.c_str(), taken.c_str()) == 0) return ++count_, taken;
    if (errno == ENOENT) return {};
    throw Error(errno == EIO || errno == ENOSPC ? ExitCode::io : ExitCode::cannot_create,
                path.string() + ": cannot be removed: " + std::strerror(errno));
  }

  fs::path folder_;
  Time deadline_;
  int count_ = 0, deleted_ = 0;
};

class Remover {
 public:
  Remover(const Store& store, const Collection& plan) : store_(store), plan_(plan), trash_(store, plan.deadline) {
    gone_.bytes = plan.bytes;
    gone_.deadline = plan.deadline;
  }

  // Keys first: then what they name is not found any more. Objects after a second look at the keys, since one may have
  // been published meanwhile that names them.
  Collection remove() {
    each({Remnant::publication, Remnant::key}, [this](const Condemned& one) { return take_key(one); });
    look_again();
    each({Remnant::object}, [this](const Condemned& one) {
      return !named_.count(one.digest) && !busy_.reads.count(one.digest) && trash_.take_if_old(one.paths.front());
    });
    each({Remnant::chunk}, [this](const Condemned& one) { return trash_.take_if_old(one.paths.front()); });
    each({Remnant::progress, Remnant::unfinished}, [this](const Condemned& one) { return take_progress(one); });
    each({Remnant::staging, Remnant::lease}, [this](const Condemned& one) { return take_leftover(one); });
    return std::move(gone_);
  }

 private:
  void each(const std::set<Remnant>& kinds, const std::function<bool(const Condemned&)>& take) {
    for (const Condemned& one : plan_.condemned) {
      if (!kinds.count(one.kind) || !take(one)) continue;
      gone_.condemned.push_back(one);
      if (trash_.waiting() >= batch) trash_.empty();
    }
    trash_.empty();
  }

  // Recipes, the action key, then its records; a key that was used since stays with them.
  bool take_key(const Condemned& one) {
    const fs::path key = store_.root() / "actions" / one.digest.hex();
    const bool is_action = std::find(one.paths.begin(), one.paths.end(), key) != one.paths.end();
    bool taken = false;
    for (const fs::path& path : one.paths) {
      const bool last = trash_.take_if_old(path);
      taken = taken || last;
      if (is_action && path == key && !last) {
        kept_.insert(one.digest);
        return false;
      }
    }
    return taken;
  }

  void look_again() {
    const int threads = static_cast<int>(std::thread::hardware_concurrency());
    for (const StoredPublication& one : publications_of(store_, threads)) name(one.publication);
    for (const StoredRecipe& recipe : recipes_of(store_, threads)) {
      if (recipe.publication) name(*recipe.publication);
    }
    busy_ = busy_in(store_, staging_of(store_), leases_of(store_), plan_.deadline);
  }
  void name(const Publication& publication) {
    for (const PublishedPort& port : publication.ports) named_.insert(port.digest);
  }

  bool take_progress(const Condemned& one) {
    if (kept_.count(one.digest) || busy_.actions.count(one.digest)) return false;
    const bool young = std::any_of(one.paths.begin(), one.paths.end(),
                                   [this](const fs::path& path) { return stored_at(path).written >= plan_.deadline; });
    if (young) return false;
    bool taken = false;
    for (const fs::path& path : one.paths) taken = trash_.take(path) || taken;
    return taken;
  }

  // What a dead process left is not in use, however young; one on another machine may only have been suspended.
  bool is_left_over(const fs::path& path, Life life) const {
    return life == Life::gone || (life == Life::unknown && stored_at(path).written < plan_.deadline);
  }
  bool take_leftover(const Condemned& one) {
    const fs::path& path = one.paths.front();
    const auto mark = mark_in(path.filename().string());
    if (mark || one.kind != Remnant::lease)
      return is_left_over(path, mark ? life_of(*mark) : Life::unknown) && trash_.take(path);
    const auto holder = read_lease(path);
    if (!holder || !is_left_over(path, life_of(*holder))) return false;
    break_lease(path, holder->token);
    return true;
  }

  const Store& store_;
  const Collection& plan_;
  Trash trash_;
  Collection gone_;
  std::set<Digest> kept_;   // action keys that were used meanwhile
  std::set<Digest> named_;  // objects that keys name now
  Busy busy_;
};

}  // namespace

Collection collect(const Store& store, const Collection& plan) { return Remover(store, plan).remove(); }

}  // namespace penstock::pipeline
