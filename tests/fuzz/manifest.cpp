// The records of a store: what a key names, the manifest, attempts, lists of buckets and leases; and the import of what
// they name into another store, which may write nowhere else. An input is these five texts, parted by lines of "%%".
#include <array>

#include "fuzz/fuzzing.h"
#include "pipeline/store/bucket_list.h"
#include "pipeline/store/lease.h"
#include "pipeline/store/store_transfer.h"

namespace penstock::fuzz {
namespace {

namespace fs = std::filesystem;
using namespace penstock::pipeline;

enum Part { key_text, manifest_text, attempt_text, bucket_text, lease_text, parts };

std::array<std::string_view, parts> parts_of(std::string_view input) {
  constexpr std::string_view line = "%%\n";
  std::array<std::string_view, parts> all;
  for (std::string_view& part : all) {
    const size_t end = std::min(input.find(line), input.size());
    part = input.substr(0, end);
    input = input.substr(std::min(end + line.size(), input.size()));
  }
  return all;
}

bool is_folder_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
}

// Two stores of this process: one with records that anyone may have written, and the user's own.
struct Stores {
  Stores() : foreign(scratch() / "foreign", Store::Mode::read_write), own(scratch() / "own", Store::Mode::read_write) {
    for (const char* folder : {"manifests/kind", "buckets"}) fs::create_directories(foreign.root() / folder);
    fs::create_directories(foreign.root() / "attempts" / key.hex());
  }
  Digest key = digest_of(std::string_view("key"));
  Digest manifest = digest_of(std::string_view("manifest"));
  Store foreign, own;
};

void look_at_records(const Stores& stores) {
  for (const Manifest& manifest : stores.foreign.newest_manifests("kind", 5)) {
    manifest.fields.key();
    require(is_folder_name(kind_of(manifest.fields)), "a manifest's kind is a folder's name");
    for (const auto& port : manifest.ports) require(is_folder_name(port.port), "a port's name is a folder's name");
    differences(manifest.fields, {});
  }
  for (const Attempt& attempt : stores.foreign.attempts(stores.key))
    require(attempt.number >= 1, "attempts are numbered from 1");
  require(stores.foreign.next_attempt(stores.key) >= 1, "attempts are numbered from 1");
  read_bucket_lists(stores.foreign);
  if (const auto lease = read_lease(stores.foreign.root() / "leases" / stores.key.hex())) {
    life_of(*lease);
    lease->described();
  }
}

// What a key names, and its import where its manifest would be accepted.
void look_at_key(Stores& stores, const std::string& text) {
  const auto publication = Publication::from_text(text);
  if (!publication) return;
  const auto again = Publication::from_text(publication->to_text());
  require(again && again->to_text() == publication->to_text(), "what a key names is read as it is written");
  require(is_folder_name(publication->kind), "a kind is a folder's name");
  for (const auto& port : publication->ports) require(is_folder_name(port.port), "a port's name is a folder's name");
  stores.foreign.find_action(stores.key);

  const auto manifests = stores.foreign.newest_manifests("kind", 1);
  if (manifests.empty()) return;
  Publication offered = *publication;
  offered.kind = "kind";
  offered.manifest = stores.manifest;
  offered.action = manifests.front().fields.key();
  const Transferred done =
      transfer(stores.foreign, stores.own, {{std::make_shared<const Publication>(offered), {stores.key}}});
  require(done.publications + done.refused.size() == 1, "a publication is taken or refused");
  size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(scratch())) beside += entry.is_directory();
  require(beside == 2, "an import writes into its store alone");
  for (const char* folder : {"actions", "recipes", "manifests", "attempts"}) {  // the next input finds an empty store
    fs::remove_all(stores.own.root() / folder);
    fs::create_directory(stores.own.root() / folder);
  }
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock::fuzz;
  static Stores stores;
  const auto part = parts_of(text_of(data, size));
  const auto& root = stores.foreign.root();
  put(root / "actions" / stores.key.hex(), part[key_text]);
  put(root / "manifests" / "kind" / stores.manifest.hex(), part[manifest_text]);
  put(root / "attempts" / stores.key.hex() / "1.json", part[attempt_text]);
  put(root / "buckets" / stores.key.hex(), part[bucket_text]);
  put(root / "leases" / stores.key.hex(), part[lease_text]);
  look_at_records(stores);
  look_at_key(stores, std::string(part[key_text]));
  return 0;
}
