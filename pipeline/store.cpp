#include "pipeline/store.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "distributed/error.h"
#include "pipeline/files.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* format_version = "1\n";
constexpr const char* list_name = "list.json";
constexpr const char* files_name = "files";

// A name that no other process or thread uses.
std::string unique_suffix() {
  static std::atomic<int> count{0};
  return std::to_string(getpid()) + "." + std::to_string(++count);
}

std::string list_text(const std::vector<FileEntry>& entries) {
  Value files = Value::array();
  for (const FileEntry& entry : entries) {
    files.push_back({{"path", entry.path}, {"size", entry.size}, {"digest", entry.digest.hex()}});
  }
  return Value{{"files", std::move(files)}}.dump() + "\n";
}

// The tree that a list describes is there, byte for byte. Returns its digest; nullopt when anything differs.
std::optional<Digest> verified_tree(const fs::path& holder) {
  try {
    const Value list = Value::parse(read_file(holder / list_name));
    std::vector<FileEntry> entries = list_tree(holder / files_name);
    if (list_text(entries) != list.dump() + "\n") return std::nullopt;
    return digest_of_tree(entries);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Writes list and files into `holder`, a folder beside its final place, synced.
Digest make_holder(const fs::path& files, const fs::path& holder) {
  make_folder(holder);
  sync_tree(files);
  const std::vector<FileEntry> entries = list_tree(files);
  fs::rename(files, holder / files_name);
  write_file(holder / list_name, list_text(entries));
  return digest_of_tree(entries);
}

// True when `from` is now `to`; false when something lay at `to` already.
bool rename_into_place(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST || errno == ENOTEMPTY) return false;
  const bool device = errno == ENOSPC || errno == EIO;
  throw Error(device ? ExitCode::io : ExitCode::cannot_create, to.string() + ": cannot rename into place: " + std::strerror(errno));
}

std::string first_line(const fs::path& path) {
  try {
    const std::string text = read_file(path);
    return text.substr(0, text.find('\n'));
  } catch (const Error&) {
    return {};
  }
}

bool same_ports(const Manifest& a, const Manifest& b) {
  for (const PublishedPort& port : a.ports) {
    if (port.is_volatile) continue;
    const PublishedPort* other = b.port(port.port);
    if (other == nullptr || other->digest != port.digest) return false;
  }
  return true;
}

Value to_json(const Manifest& manifest) {
  Value fields = Value::array();
  for (const auto& [name, value] : manifest.fields.fields) fields.push_back(Value::array({name, value}));
  Value ports = Value::array();
  for (const PublishedPort& port : manifest.ports) {
    ports.push_back({{"port", port.port}, {"digest", port.digest.hex()}, {"volatile", port.is_volatile}});
  }
  return {{"fields", std::move(fields)}, {"ports", std::move(ports)}};
}

// Puts `text` under `path` unless something is there: link(2) is atomic and never replaces. False: there was.
bool publish_file(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.string() + ".new." + unique_suffix();
  write_file(fresh, text);
  const int code = link(fresh.c_str(), path.c_str());
  const int problem = errno;
  if (code != 0 && problem != EEXIST) {
    // No hard links on this file system: the window is a rename's.
    const bool free = !fs::exists(path);
    if (free) fs::rename(fresh, path);
    else fs::remove(fresh);
    return free;
  }
  fs::remove(fresh);
  return code == 0;
}

}  // namespace

const PublishedPort* Manifest::port(const std::string& name) const {
  const auto found = std::find_if(ports.begin(), ports.end(), [&](const PublishedPort& one) { return one.port == name; });
  return found == ports.end() ? nullptr : &*found;
}

Store::Store(fs::path root, Mode mode) : root_(fs::absolute(root).lexically_normal()), mode_(mode) {
  const fs::path version = root_ / "format-version";
  if (fs::exists(version)) {
    const std::string found = read_file(version);
    if (found != format_version) {
      throw Error(ExitCode::cannot_create,
                  root_.string() + ": this store has format " + found.substr(0, found.find('\n')) +
                      ", this program writes format 1; keep the old one with the program that made it and name another "
                      "with --store DIR, which is filled by running again");
    }
  } else if (mode == Mode::read_write) {
    for (const char* folder : {"objects", "manifests", "actions", "recipes", "chunks", "progress", "attempts", "staging"}) {
      make_folder(root_ / folder);
    }
    write_file(version, format_version);
  }
}

std::optional<Manifest> Store::read_manifest(const std::string& hex) const {
  if (hex.size() != 64) return std::nullopt;
  try {
    const Value json = Value::parse(read_file(root_ / "manifests" / hex));
    Manifest manifest;
    manifest.stage = json.at("stage");
    for (const Value& field : json.at("fields")) manifest.fields.fields.emplace_back(field.at(0), field.at(1));
    for (const Value& port : json.at("ports")) {
      manifest.ports.push_back({port.at("port"), Digest::from_hex(port.at("digest").get<std::string>()), port.at("volatile")});
    }
    return manifest;
  } catch (const std::exception&) {
    return std::nullopt;  // missing or damaged: as if it had never been published
  }
}

std::optional<Manifest> Store::find(const char* table, const Digest& key) const {
  auto manifest = read_manifest(first_line(root_ / table / key.hex()));
  if (!manifest) return std::nullopt;
  for (const PublishedPort& port : manifest->ports) {
    if (!fs::exists(root_ / "objects" / port.digest.hex() / list_name)) return std::nullopt;
  }
  return manifest;
}

std::optional<Manifest> Store::find_recipe(const Digest& key) const { return find("recipes", key); }
std::optional<Manifest> Store::find_action(const Digest& key) const { return find("actions", key); }

std::optional<Manifest> Store::nearest(const KeyFields& fields) const {
  const auto kind_of = [](const KeyFields& all) { return all.fields.size() > 1 ? all.fields[1].second : Value(); };
  std::optional<Manifest> best;
  size_t fewest = 0;
  fs::file_time_type newest;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "manifests", absent)) {
    auto manifest = read_manifest(entry.path().filename().string());
    if (!manifest || kind_of(manifest->fields) != kind_of(fields)) continue;
    const size_t count = differences(manifest->fields, fields).size();
    const auto written = entry.last_write_time();
    if (best && (count > fewest || (count == fewest && written <= newest))) continue;
    best = std::move(manifest);
    fewest = count;
    newest = written;
  }
  return best;
}

fs::path Store::object_files(const Digest& object) const { return root_ / "objects" / object.hex() / files_name; }

bool Store::verify(const Digest& object) const {
  {
    const std::lock_guard lock(mutex_);
    if (verified_.count(object)) return true;
  }
  const fs::path holder = root_ / "objects" / object.hex();
  if (verified_tree(holder) == object) {
    const std::lock_guard lock(mutex_);
    verified_.insert(object);
    return true;
  }
  if (mode_ == Mode::read_write && fs::exists(holder)) {
    rename_into_place(holder, root_ / "staging" / ("damaged-" + object.hex() + "." + unique_suffix()));
  }
  return false;
}

fs::path Store::make_staging(const Digest& action, const std::vector<std::string>& ports) {
  const fs::path staging = root_ / "staging" / (action.hex() + "." + unique_suffix());
  for (const std::string& port : ports) make_folder(staging / port);
  return staging;
}

void Store::remove_staging(const fs::path& staging) {
  std::error_code ignored;
  fs::remove_all(staging, ignored);
}

PublishedPort Store::adopt(const fs::path& staging, const PublishedPort& port) {
  PublishedPort published = port;
  const fs::path holder = staging / ("." + port.port);
  published.digest = make_holder(staging / port.port, holder);
  const fs::path object = root_ / "objects" / published.digest.hex();
  // An object already there is mine when it is whole; a damaged one is moved aside first.
  while (!rename_into_place(holder, object)) {
    if (verify(published.digest)) return published;
  }
  const std::lock_guard lock(mutex_);
  verified_.insert(published.digest);
  return published;
}

std::string Store::write_manifest(const Manifest& manifest) const {
  Value json = to_json(manifest);
  const std::string hex = digest_of(json.dump()).hex();
  json["stage"] = manifest.stage;
  write_file(root_ / "manifests" / hex, json.dump() + "\n");
  return hex;
}

// The protocol, in order: what was written is synced and digested, becomes objects, then a manifest, and only then do
// keys name it. A kill between any two lines leaves nothing that a reader would take for an output.
Manifest Store::commit(const fs::path& staging, const Manifest& draft, const Digest& recipe, const Digest& action,
                       bool replace, Published* outcome) {
  Manifest mine = draft;
  for (PublishedPort& port : mine.ports) port = adopt(staging, port);
  const std::string manifest = write_manifest(mine);
  const fs::path key = root_ / "actions" / action.hex();

  Published result = Published::fresh;
  if (!publish_file(key, manifest + "\n")) {
    auto theirs = find_action(action);
    const bool same = theirs && same_ports(*theirs, mine);
    result = same ? Published::same : theirs ? Published::nondeterministic : Published::fresh;
    if (!theirs || replace) {
      write_file(key, manifest + "\n");
    } else {
      mine = std::move(*theirs);
    }
  }
  publish_recipe(recipe, action);
  if (outcome != nullptr) *outcome = result;
  remove_staging(staging);
  return mine;
}

void Store::publish_recipe(const Digest& recipe, const Digest& action) {
  const std::string manifest = first_line(root_ / "actions" / action.hex());
  const fs::path key = root_ / "recipes" / recipe.hex();
  if (first_line(key) != manifest) write_file(key, manifest + "\n");
}

std::optional<fs::path> Store::find_chunk(const Digest& key) const {
  const fs::path holder = root_ / "chunks" / key.hex();
  if (!fs::exists(holder)) return std::nullopt;
  if (verified_tree(holder)) return holder / files_name;
  if (mode_ == Mode::read_write) rename_into_place(holder, root_ / "staging" / ("damaged-" + key.hex() + "." + unique_suffix()));
  return std::nullopt;
}

fs::path Store::make_chunk_staging(const Digest& key) {
  const fs::path staging = root_ / "staging" / ("chunk-" + key.hex() + "." + unique_suffix());
  make_folder(staging / files_name);
  return staging / files_name;
}

fs::path Store::publish_chunk(const fs::path& staging, const Digest& key) {
  const fs::path chunk = root_ / "chunks" / key.hex();
  const fs::path holder = staging.parent_path() / "holder";
  make_holder(staging, holder);
  while (!rename_into_place(holder, chunk)) {
    if (find_chunk(key)) break;
  }
  remove_staging(staging.parent_path());
  return chunk / files_name;
}

fs::path Store::progress(const Digest& action) const {
  const fs::path folder = root_ / "progress" / action.hex();
  make_folder(folder);
  return folder;
}

int Store::next_attempt(const Digest& action) const {
  int last = 0;
  for (const Attempt& attempt : attempts(action)) last = std::max(last, attempt.number);
  return last + 1;
}

void Store::record_attempt(const Digest& action, const Attempt& attempt) {
  write_file(root_ / "attempts" / action.hex() / (std::to_string(attempt.number) + ".json"), pipeline::to_json(attempt).dump() + "\n");
}

std::vector<Attempt> Store::attempts(const Digest& action) const {
  std::vector<Attempt> found;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "attempts" / action.hex(), absent)) {
    if (entry.path().extension() != ".json") continue;
    try {
      found.push_back(attempt_from_json(Value::parse(read_file(entry.path()))));
    } catch (const std::exception&) {
      // A damaged record says nothing.
    }
  }
  std::sort(found.begin(), found.end(), [](const Attempt& a, const Attempt& b) { return a.number < b.number; });
  return found;
}

}  // namespace penstock::pipeline
