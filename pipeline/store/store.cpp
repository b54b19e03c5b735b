#include "pipeline/store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/json_depth.h"
#include "pipeline/process_mark.h"
#include "pipeline/store/sealed_folder.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* format_version = "2\n";
constexpr const char* volatile_word = "volatile";
constexpr time_t touch_interval = 3600;  // seconds

// Kinds and ports are folders here and in the store that imports them: a record with another name is damaged.
bool is_folder_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
}

// What a key is made of: a boolean, a number, text, or a list of these.
bool is_field(const Value& value) {
  return value.is_boolean() || value.is_number() || value.is_string() ||
         (value.is_array() && std::all_of(value.begin(), value.end(), is_field));
}

bool has_folder_names(const std::string& kind, const std::vector<PublishedPort>& ports) {
  return is_folder_name(kind) &&
         std::all_of(ports.begin(), ports.end(), [](const PublishedPort& port) { return is_folder_name(port.port); });
}

// A small file's text; empty when there is none, which is not an error here.
std::string text_of_small(const char* path) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO in another's store must not stop the run
  if (file < 0 && errno == EWOULDBLOCK) file = open(path, O_RDONLY | O_CLOEXEC);  // leased to a client of this server
  if (file < 0) return {};
  char part[4096];
  std::string text;
  for (ssize_t got; (got = read(file, part, sizeof part)) > 0;) text.append(part, static_cast<size_t>(got));
  close(file);
  return text;
}

// Marks a file or folder as in use, for the clean-up: its time becomes now, by the clock of the file system, when it
// is more than an hour old. Has no effect in a store that cannot be written.
void refresh(const fs::path& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0 && time(nullptr) - status.st_mtim.tv_sec > touch_interval)
    utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

// Beside a staging folder: the objects that are read for it, one digest a line.
fs::path reads_of(const fs::path& staging) { return staging.string() + ".reads"; }

bool same_ports(const std::vector<PublishedPort>& a, const Publication& b) {
  return std::all_of(a.begin(), a.end(), [&](const PublishedPort& port) {
    const PublishedPort* other = b.port(port.port);
    return port.is_volatile || (other != nullptr && other->digest == port.digest);
  });
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

std::optional<Manifest> manifest_of(const std::string& text) {
  if (is_json_too_deep(text)) return std::nullopt;
  try {
    const Value json = Value::parse(text);
    Manifest manifest;
    manifest.stage = json.at("stage");
    for (const Value& field : json.at("fields")) {
      if (!is_field(field.at(1))) return std::nullopt;
      manifest.fields.fields.emplace_back(field.at(0), field.at(1));
    }
    for (const Value& port : json.at("ports")) {
      manifest.ports.push_back(
          {port.at("port"), Digest::from_hex(port.at("digest").get<std::string>()), port.at("volatile")});
    }
    if (has_folder_names(kind_of(manifest.fields), manifest.ports)) return manifest;
  } catch (const std::exception&) {
    // missing or damaged: as if it had never been published
  }
  return std::nullopt;
}

}  // namespace

const PublishedPort* Publication::port(const std::string& name) const {
  const auto found =
      std::find_if(ports.begin(), ports.end(), [&](const PublishedPort& one) { return one.port == name; });
  return found == ports.end() ? nullptr : &*found;
}

std::string Publication::to_text() const {
  std::string text = kind + "\n" + manifest.hex() + "\n" + action.hex() + "\n";
  for (const PublishedPort& port : ports)
    text += port.port + " " + port.digest.hex() + (port.is_volatile ? std::string(" ") + volatile_word : "") + "\n";
  return text + "end\n";
}

std::optional<Publication> Publication::from_text(const std::string& text) {
  std::istringstream in(text);
  Publication publication;
  std::string manifest, action;
  if (!std::getline(in, publication.kind) || !std::getline(in, manifest) || !std::getline(in, action))
    return std::nullopt;
  try {
    publication.manifest = Digest::from_hex(manifest);
    publication.action = Digest::from_hex(action);
    for (std::string line; std::getline(in, line);) {
      if (line == "end") {
        if (!has_folder_names(publication.kind, publication.ports)) return std::nullopt;
        return publication;
      }
      std::istringstream words(line);
      std::string port, digest, mark;
      words >> port >> digest >> mark;
      publication.ports.push_back({port, Digest::from_hex(digest), mark == volatile_word});
    }
  } catch (const Error&) {
    // not a digest
  }
  return std::nullopt;
}

Store::Store(fs::path root, Mode mode) : root_(std::move(root)), mode_(mode) {
  root_ = fs::absolute(root_).lexically_normal();
  const fs::path version = root_ / "format-version";
  if (fs::exists(version)) {
    const std::string found = read_file(version);
    if (found != format_version) {
      throw Error(ExitCode::cannot_create,
                  root_.string() + ": this store has format " + found.substr(0, found.find('\n')) +
                      ", this program writes format 2; keep the old one for the program that made it and name another "
                      "with --store DIR, which the next run fills");
    }
  } else if (mode == Mode::read_write) {
    for (const char* folder : {"objects", "manifests", "actions", "recipes", "chunks", "progress", "families",
                               "attempts", "leases", "staging", "nondeterminism", "sweeps", "pins"}) {
      make_folder(root_ / folder);
    }
    write_file(version, format_version);
  }
}

PublicationPointer Store::find(const char* table, const Digest& key) const {
  std::string path = root_.native();
  path.append("/").append(table).append("/").append(key.hex());  // a plan may ask a hundred thousand times
  const std::string text = text_of_small(path.c_str());
  if (text.empty()) return nullptr;
  auto publication = Publication::from_text(text);
  if (!publication) return nullptr;
  const bool whole = std::all_of(publication->ports.begin(), publication->ports.end(),
                                 [this](const PublishedPort& port) { return is_sealed(object(port.digest)); });
  return whole ? std::make_shared<const Publication>(std::move(*publication)) : nullptr;
}

std::optional<Manifest> Store::manifest(const Publication& publication) const {
  return manifest_of(text_of_small((root_ / "manifests" / publication.kind / publication.manifest.hex()).c_str()));
}

std::vector<Manifest> Store::newest_manifests(const std::string& kind, size_t count) const {
  std::vector<std::pair<int64_t, fs::path>> files;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "manifests" / kind, absent)) {
    struct stat status = {};
    if (stat(entry.path().c_str(), &status) == 0)
      files.emplace_back(-(int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec), entry.path());
  }
  const size_t kept = std::min(count, files.size());
  std::partial_sort(files.begin(), files.begin() + static_cast<ptrdiff_t>(kept), files.end());
  std::vector<Manifest> manifests;
  for (size_t i = 0; i < kept; ++i) {
    if (auto manifest = manifest_of(text_of_small(files[i].second.c_str()))) manifests.push_back(std::move(*manifest));
  }
  return manifests;
}

void Store::touch(const Publication& publication) const { refresh(root_ / "actions" / publication.action.hex()); }

fs::path Store::object_files(const Digest& digest) const { return files_of(object(digest)); }

bool Store::verify(const Digest& digest) const {
  {
    const std::lock_guard lock(verified_->mutex);
    if (verified_->objects.count(digest) && is_sealed(object(digest))) return true;
  }
  if (verified(object(digest)) == digest) {
    const std::lock_guard lock(verified_->mutex);
    verified_->objects.insert(digest);
    return true;
  }
  move_aside(object(digest), digest);
  return false;
}

bool Store::move_aside(const Digest& digest) const { return move_aside(object(digest), digest); }

bool Store::move_aside(const fs::path& holder, const Digest& name) const {
  if (mode_ != Mode::read_write) return false;
  if (!fs::exists(holder)) return true;
  try {
    return rename_into_place(holder, root_ / "staging" / ("damaged-" + name.hex() + "." + unique_suffix()));
  } catch (const Error& error) {
    if (error.code() != ExitCode::cannot_create || fs::exists(holder)) throw;
    return true;  // another process was faster
  }
}

void Store::require_writable() const {
  PENSTOCK_CHECK(mode_ == Mode::read_write,
                 "a store that is opened for reading only is not written: " + root_.string());
}

void Store::require_staging(const fs::path& staging) const {
  PENSTOCK_CHECK(staging.parent_path() == root_ / "staging",
                 "what is committed was written into this store's staging, not into " + staging.string());
}

fs::path Store::make_staging(const Digest& action, const std::vector<std::string>& ports,
                             const std::vector<Digest>& reads) {
  require_writable();
  for (const std::string& port : ports) {
    PENSTOCK_CHECK(is_folder_name(port), "a port's name is the name of a folder, not '" + port + "'");
  }
  const fs::path staging = root_ / "staging" / (action.hex() + "." + unique_suffix());
  if (!reads.empty()) {
    std::string text;
    for (const Digest& digest : reads) text += digest.hex() + "\n";
    write_file(reads_of(staging), text);
  }
  try {
    for (const std::string& port : ports) make_folder(staging / port);
  } catch (...) {
    remove_staging(staging);
    throw;
  }
  return staging;
}

void Store::remove_staging(const fs::path& staging) {
  std::error_code ignored;
  fs::remove_all(staging, ignored);
  fs::remove(reads_of(staging), ignored);
}

PublishedPort Store::adopt(const fs::path& staging, const PublishedPort& port) {
  PENSTOCK_CHECK(fs::is_directory(staging / port.port),
                 "every port that is committed has a folder in staging; '" + port.port + "' has none");
  PublishedPort published = port;
  const fs::path holder = staging / ("." + port.port);
  // Most of a shared stage's output are its chunks' files under another name, which find_chunk has read.
  published.digest = seal(staging / port.port, holder, [this](const fs::path& file, const FileSignature& signature) {
    return verified_->chunk_files.take(file, signature);
  });
  place(holder, published.digest);
  return published;
}

// `holder` is sealed and of this digest.
void Store::place(const fs::path& holder, const Digest& digest) const {
  // An object already there serves when it is whole; a damaged one is moved aside first. It is touched before it is
  // verified: either the clean-up sees that it is in use, or its place is free and mine goes there.
  while (!rename_into_place(holder, object(digest))) {
    refresh(object(digest));
    if (verify(digest)) return;
  }
  const std::lock_guard lock(verified_->mutex);
  verified_->objects.insert(digest);
}

bool Store::take_over(const Digest& digest, const fs::path& files) {
  if (is_sealed(object(digest)) && verify(digest)) return true;
  const fs::path staging = make_staging(digest, {"object"});
  try {
    copy_tree(files, staging / "object");
    const fs::path holder = staging / ".object";
    const bool good = seal(staging / "object", holder) == digest;
    if (good) place(holder, digest);
    remove_staging(staging);
    return good;
  } catch (...) {
    remove_staging(staging);
    throw;
  }
}

Publication Store::write_manifest(const Manifest& manifest) const {
  Value json = to_json(manifest);
  const Digest digest = digest_of(json.dump());
  const std::string kind = kind_of(manifest.fields);
  json["stage"] = manifest.stage;
  make_folder(root_ / "manifests" / kind);
  write_file(root_ / "manifests" / kind / digest.hex(), json.dump() + "\n");
  return {kind, digest, manifest.fields.key(), manifest.ports};
}

// The protocol, in order: what was written is synced and digested, becomes objects, then a manifest, and only then do
// keys name it. A kill between any two lines leaves nothing that a reader would take for an output.
PublishResult Store::commit(const fs::path& staging, PublishRequest request) {
  require_writable();
  require_staging(staging);
  for (PublishedPort& port : request.manifest.ports) port = adopt(staging, port);
  PublishResult result = publish(request);
  remove_staging(staging);
  return result;
}

PublishResult Store::publish(const PublishRequest& request) {
  require_writable();
  PENSTOCK_CHECK(!kind_of(request.manifest.fields).empty(), "the fields of an action key name the stage's kind");
  for (const PublishedPort& port : request.manifest.ports) {
    PENSTOCK_CHECK(is_sealed(object(port.digest)),
                   "a port's object is in the store before a key names it; that of '" + port.port + "' is not");
  }
  auto mine = std::make_shared<const Publication>(write_manifest(request.manifest));
  const fs::path key = root_ / "actions" / mine->action.hex();

  PublishResult result{mine, Committed::fresh, request.manifest.ports};
  if (!publish_file(key, mine->to_text())) {
    auto theirs = find_action(mine->action);
    if (theirs) result.committed = same_ports(mine->ports, *theirs) ? Committed::same : Committed::different;
    if (!theirs || request.replace) {
      write_file(key, mine->to_text());
    } else {
      result.publication = std::move(theirs);
    }
  }
  if (request.recipe) publish_recipe(*request.recipe, *result.publication);
  return result;
}

void Store::publish_recipe(const Digest& recipe, const Publication& publication) const {
  const fs::path key = root_ / "recipes" / recipe.hex();
  const std::string text = publication.to_text();
  if (text_of_small(key.c_str()) == text) return;
  try {
    write_file(key, text);
  } catch (const Error& error) {
    if (error.code() != ExitCode::cannot_create)
      throw;  // a shared store that is only read: it is found by its action key
  }
}

std::optional<fs::path> Store::find_chunk(const Digest& key) const {
  const fs::path holder = root_ / "chunks" / key.hex();
  if (!fs::exists(holder)) return std::nullopt;
  refresh(holder);  // before it is verified, as in place()
  const auto read = [this](const fs::path& file, const FileSignature& signature) {
    return verified_->chunk_files.read(file, signature);
  };
  if (verified(holder, read)) return files_of(holder);
  move_aside(holder, key);
  return std::nullopt;
}

fs::path Store::make_chunk_staging(const Digest& key) {
  require_writable();
  const fs::path files = files_of(root_ / "staging" / ("chunk-" + key.hex() + "." + unique_suffix()));
  make_folder(files);
  return files;
}

fs::path Store::publish_chunk(const fs::path& staging, const Digest& key) {
  require_writable();
  require_staging(staging.parent_path());
  const fs::path chunk = root_ / "chunks" / key.hex();
  const fs::path holder = staging.parent_path() / "holder";
  seal(staging, holder);
  while (!rename_into_place(holder, chunk)) {
    if (find_chunk(key)) break;
  }
  remove_staging(staging.parent_path());
  return files_of(chunk);
}

}  // namespace penstock::pipeline
