// The cache of outputs by content: objects, and the keys that name them.
//
//   objects/<digest>/            one port's tree, sealed
//   manifests/<kind>/<digest>    key fields in clear, and the ports
//   actions/<key>, recipes/<key> manifest, action key and (port, digest, volatile): one small file a lookup
//   chunks/<key>/                a bucket's cached part, sealed; buckets/<action key>: which of them a stage is made of
//   progress/<action key>/       what an unfinished stage keeps; families/<family>/<action key>: who shares a family
//   attempts/<action key>/<n>.json        leases/<action key>        staging/<key>.<process>/<port>/, and what it reads
//   nondeterminism/<action key>.<n>.json  sweeps/<sweep id>/         pins/<action key>        format-version
//
// Publishing is atomic and last: a key is visible only when all it names is complete, synced and verified. Correctness
// depends on no lock. Many processes may use one store, and many threads one object of this class. The clean-up
// (store_gc.h) may remove at any moment what was not used for a while: a reader finds the whole of it or nothing.
// Error(io) means a full disk or a device fault, Error(cannot_create) a place that cannot be written.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/keys.h"
#include "pipeline/store/attempt.h"
#include "pipeline/store/read_digests.h"

namespace penstock::pipeline {

struct PublishedPort {
  std::string port;
  Digest digest;  // of the tree
  bool is_volatile = false;
};

// What a key names.
struct Publication {
  std::string kind;
  Digest manifest;
  Digest action;
  std::vector<PublishedPort> ports;

  const PublishedPort* port(const std::string& name) const;  // nullptr when there is none
  std::string to_text() const;
  static std::optional<Publication> from_text(const std::string& text);  // nullopt when it is damaged
};
using PublicationPointer = std::shared_ptr<const Publication>;  // null: not published

// A publication with the fields of its key.
struct Manifest {
  std::string stage;  // as named when published; for messages only, in no digest
  KeyFields fields;   // of the action key
  std::vector<PublishedPort> ports;
};

// What is to be published, and under which keys.
struct PublishRequest {
  Manifest manifest;             // for commit: names and marks of the ports, whose digests it finds out
  std::optional<Digest> recipe;  // to name the publication beside the action key
  bool replace =
      false;  // rename over an existing key (--force, or its object was bad). Else the first to publish stays
};

enum class Committed {
  fresh,
  same,       // another run published the same bytes first
  different,  // another run published other bytes for the same key first; theirs stays
};

struct PublishResult {
  PublicationPointer publication;  // that the action key names now: this one, or the one that stayed
  Committed committed = Committed::fresh;
  std::vector<PublishedPort> made;  // what was to be published, with its digests
};

class Store {
 public:
  // Opens or makes the store. Error(cannot_create) when it cannot be made, and for another format version, with the way
  // to migrate. `read_only` opens without making anything: a missing store is empty.
  enum class Mode { read_write, read_only };
  Store(std::filesystem::path root, Mode mode);

  const std::filesystem::path& root() const { return root_; }

  // Lookups. Found only when every object that the key names is there.
  PublicationPointer find_recipe(const Digest& key) const { return find("recipes", key); }
  PublicationPointer find_action(const Digest& key) const { return find("actions", key); }
  std::optional<Manifest> manifest(const Publication& publication) const;
  // The last published manifests of a kind, newest first.
  std::vector<Manifest> newest_manifests(const std::string& kind, size_t count) const;
  // Marks it as used now, to the hour, for the clean-up.
  void touch(const Publication& publication) const;

  std::filesystem::path object(const Digest& digest) const { return root_ / "objects" / digest.hex(); }
  std::filesystem::path object_files(const Digest& digest) const;
  // Reads the object, once per process, and compares sizes and digests. False: missing or damaged; a damaged one is
  // moved aside, so that the next run rebuilds it.
  bool verify(const Digest& object) const;
  bool move_aside(const Digest& object) const;  // false in a store that is only read

  // A new staging folder with one empty folder per port. While it exists and this process lives, the clean-up keeps
  // the objects in `reads`.
  std::filesystem::path make_staging(const Digest& action, const std::vector<std::string>& ports,
                                     const std::vector<Digest>& reads = {});
  void remove_staging(const std::filesystem::path& staging);

  // Commit of what lies in staging: sync, digest, move to objects, then publish.
  PublishResult commit(const std::filesystem::path& staging, PublishRequest request);
  // Copies the files of an object from another place, unless this store holds it whole. False: the copy does not have
  // the digest. Error(data) when a file is missing.
  bool take_over(const Digest& object, const std::filesystem::path& files);
  // The second half of commit, for ports whose objects lie in the store already: the action key by link(2), and the
  // recipe where one is given.
  PublishResult publish(const PublishRequest& request);
  // Makes a recipe key name a publication that was found by its action key. Does nothing in a store that cannot be
  // written.
  void publish_recipe(const Digest& recipe, const Publication& publication) const;

  // Chunks. find_chunk verifies size and digest of each file; a damaged chunk is removed and absent.
  std::optional<std::filesystem::path> find_chunk(const Digest& key) const;
  std::filesystem::path make_chunk_staging(const Digest& key);
  std::filesystem::path publish_chunk(const std::filesystem::path& staging, const Digest& key);

  // What unfinished stages keep between attempts.
  std::filesystem::path progress(const Digest& action) const;  // made when missing
  bool has_progress(const Digest& action) const;
  void join_family(const Digest& family, const Digest& action) const;
  // Progress folders of a family without `action`'s own.
  std::vector<std::filesystem::path> relatives(const Digest& family, const Digest& action) const;

  int next_attempt(const Digest& action) const;
  // Under its number, or the next that no other run has taken meanwhile. Returns the number.
  int record_attempt(const Digest& action, Attempt attempt) const;
  // Of two runs with the same ranks and threads that gave different bytes. Returns the record's file.
  std::filesystem::path record_nondeterminism(const Digest& action, const Value& record) const;
  std::vector<Attempt> attempts(const Digest& action) const;  // by number

 private:
  void require_writable() const;
  void require_staging(const std::filesystem::path& staging) const;
  PublishedPort adopt(const std::filesystem::path& staging, const PublishedPort& port);
  void place(const std::filesystem::path& holder, const Digest& object) const;
  PublicationPointer find(const char* table, const Digest& key) const;
  Publication write_manifest(const Manifest& manifest) const;
  bool move_aside(const std::filesystem::path& holder, const Digest& name) const;

  struct Verified {
    std::mutex mutex;
    std::set<Digest> objects;
    ReadDigests chunk_files;
  };

  std::filesystem::path root_;
  Mode mode_;
  std::unique_ptr<Verified> verified_ = std::make_unique<Verified>();
};

}  // namespace penstock::pipeline
