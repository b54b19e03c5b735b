#include "pipeline/store/store_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "distributed/error.h"
#include "pipeline/store/store_inventory.h"

namespace penstock::pipeline {
namespace {

uint64_t bytes_of(const Store& store, const Digest& object) { return stored_at(store.object(object)).bytes(); }

// False: not all of its outputs are good. The reason goes to `refused`.
bool take_objects(const Store& from, Store& to, const Publication& publication, const std::string& stage,
                  Transferred& done) {
  for (const PublishedPort& port : publication.ports) {
    const bool there = std::filesystem::exists(to.object(port.digest)) && to.verify(port.digest);
    if (there) continue;
    std::string problem;
    try {
      if (!to.take_over(port.digest, from.object_files(port.digest))) problem = "is damaged";
    } catch (const Error& error) {
      if (error.code() != ExitCode::data) throw;
      problem = "is gone";
    }
    if (!problem.empty()) {
      done.refused.push_back(fmt::format("{} ({}) {}", stage, port.port, problem));
      return false;
    }
    ++done.objects;
    done.bytes += bytes_of(to, port.digest);
  }
  return true;
}

// A key that is there and names good outputs stays; one whose outputs are bad loses them here.
void look_at_what_is_there(const Store& to, const Digest& action) {
  if (const auto theirs = to.find_action(action)) {
    for (const PublishedPort& port : theirs->ports) to.verify(port.digest);
  }
}

// Whether a manifest is of what its key names; in a store that others wrote it may be of something else.
bool same_outputs(const Manifest& manifest, const Publication& publication) {
  return std::equal(manifest.ports.begin(), manifest.ports.end(), publication.ports.begin(), publication.ports.end(),
                    [](const PublishedPort& a, const PublishedPort& b) {
                      return a.port == b.port && a.digest == b.digest && a.is_volatile == b.is_volatile;
                    });
}

void take_attempts(const Store& from, Store& to, const Digest& action) {
  if (!to.attempts(action).empty()) return;
  for (const Attempt& attempt : from.attempts(action)) to.record_attempt(action, attempt);
}

}  // namespace

Transferred transfer(const Store& from, Store& to, const std::vector<Parcel>& parcels) {
  Transferred done;
  std::map<Digest, PublicationPointer> seen;  // null: refused
  for (const Parcel& parcel : parcels) {
    const Publication& publication = *parcel.publication;
    const auto [found, fresh] = seen.try_emplace(publication.action);
    PublicationPointer& published = found->second;
    if (!fresh) {  // runs of a matrix have it in common
      for (const Digest& recipe : parcel.recipes) {
        if (published) to.publish_recipe(recipe, *published);
      }
      continue;
    }
    const auto manifest = from.manifest(publication);
    if (!manifest || manifest->fields.key() != publication.action || !same_outputs(*manifest, publication)) {
      done.refused.push_back(fmt::format("{} ({}): its manifest is gone or damaged", publication.kind,
                                         publication.action.hex().substr(0, 10)));
      continue;
    }
    if (!take_objects(from, to, publication, manifest->stage, done)) continue;
    look_at_what_is_there(to, publication.action);
    const PublishResult result = to.publish({*manifest, std::nullopt, false});
    published = result.publication;
    for (const Digest& recipe : parcel.recipes) to.publish_recipe(recipe, *published);
    take_attempts(from, to, publication.action);
    ++done.publications;
    done.kept += result.committed == Committed::different;
  }
  return done;
}

std::vector<Parcel> all_parcels(const Store& store) {
  std::vector<Parcel> parcels;
  for (StoredPublication& one :
       take_inventory(store, static_cast<int>(std::thread::hardware_concurrency())).publications) {
    parcels.push_back({std::make_shared<const Publication>(std::move(one.publication)), std::move(one.recipes)});
  }
  return parcels;
}

}  // namespace penstock::pipeline
