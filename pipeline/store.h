// The cache of outputs by content: objects, and the keys that name them.
//
//   objects/<digest>/   one port's tree: list (path, size, digest per file) and files/
//   manifests/<digest>  key fields and (port, digest, volatile)        actions/<key>, recipes/<key> -> manifest digest
//   chunks/<key>/       a bucket's cached part      progress/<action key>/      attempts/<action key>/<n>.json
//   staging/<key>.<attempt>/<port>/                 format-version
//
// Publishing is atomic and last: a key is visible only when all it names is complete, synced and verified. Correctness
// depends on no lock. Many processes may use one store; one object of this class is used by one thread, but for the
// chunk functions, which any thread may call.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/attempt.h"
#include "pipeline/digest.h"
#include "pipeline/keys.h"

namespace penstock::pipeline {

struct PublishedPort {
  std::string port;
  Digest digest;  // of the tree
  bool is_volatile = false;
};

struct Manifest {
  std::string stage;  // as named when published; for messages only, in no digest
  KeyFields fields;   // of the action key
  std::vector<PublishedPort> ports;
  const PublishedPort* port(const std::string& name) const;
};

enum class Published { fresh, same, nondeterministic };

class Store {
 public:
  // Opens or makes the store. Error(cannot_create) when it cannot be made; Error(cannot_create) for another format
  // version, with the way to migrate. `read_only` opens without making anything: a missing store is empty.
  enum class Mode { read_write, read_only };
  Store(std::filesystem::path root, Mode mode);

  const std::filesystem::path& root() const { return root_; }

  // Lookups: nullopt when absent. A manifest is returned only when every object it names is there.
  std::optional<Manifest> find_recipe(const Digest& key) const;
  std::optional<Manifest> find_action(const Digest& key) const;
  // The published manifest nearest to these fields (same kind, fewest differences, newest), for explain.
  std::optional<Manifest> nearest(const KeyFields& fields) const;

  // The folder with an object's files.
  std::filesystem::path object_files(const Digest& object) const;
  // Reads the object, once per process, and compares sizes and digests. False: missing or damaged; a damaged one is moved
  // aside, so that the next run remakes it.
  bool verify(const Digest& object) const;

  // A fresh, empty staging folder with one empty folder per port.
  std::filesystem::path make_staging(const Digest& action, const std::vector<std::string>& ports);
  void remove_staging(const std::filesystem::path& staging);

  // Commit of what lies in staging: sync, digest, move to objects, then publish recipe and action keys by link(2).
  // `replace`: rename over an existing key (--force). On a key that another run published first, the published one
  // wins; `outcome` says whether its non-volatile ports are the same.
  Manifest commit(const std::filesystem::path& staging, const Manifest& draft, const Digest& recipe,
                  const Digest& action, bool replace, Published* outcome = nullptr);
  // Lets a recipe name a manifest that its action key found (early cut-off).
  void publish_recipe(const Digest& recipe, const Digest& action);

  // Chunks. find_chunk verifies size and digest of each file; a damaged chunk is removed and absent.
  std::optional<std::filesystem::path> find_chunk(const Digest& key) const;
  std::filesystem::path make_chunk_staging(const Digest& key);
  std::filesystem::path publish_chunk(const std::filesystem::path& staging, const Digest& key);

  std::filesystem::path progress(const Digest& action) const;  // made when missing

  int next_attempt(const Digest& action) const;
  void record_attempt(const Digest& action, const Attempt& attempt);
  std::vector<Attempt> attempts(const Digest& action) const;

 private:
  PublishedPort adopt(const std::filesystem::path& staging, const PublishedPort& port);
  std::optional<Manifest> find(const char* table, const Digest& key) const;
  std::optional<Manifest> read_manifest(const std::string& hex) const;
  std::string write_manifest(const Manifest& manifest) const;

  std::filesystem::path root_;
  Mode mode_;
  mutable std::mutex mutex_;
  mutable std::set<Digest> verified_;
};

}  // namespace penstock::pipeline
