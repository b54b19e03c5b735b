#include "launch/job/folder_record.h"

#include "distributed/check.h"
#include "pipeline/digest.h"
#include "pipeline/files.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

constexpr const char* record_name = "run.json";

Value read_record(const fs::path& file) {
  if (!fs::is_regular_file(file)) return nullptr;
  Value record = Value::parse(pipeline::read_file(file), nullptr, false);
  return record.is_object() && record.value("files", Value()).is_object() ? record : Value(nullptr);
}

Value fingerprint_of(const fs::path& file) {
  return {{"size", fs::file_size(file)}, {"sha256", pipeline::digest_of_file(file).hex()}};
}

bool is_as_recorded(const fs::path& file, const Value& recorded) {
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(file, ignored))) return false;
  if (recorded.value("size", Value()) != fs::file_size(file)) return false;  // spares reading it
  return recorded == fingerprint_of(file);
}

}  // namespace

FolderRecord::FolderRecord(fs::path folder, Value run)
    : folder_(std::move(folder)), run_(std::move(run)), before_(read_record(folder_ / record_name)) {
  PENSTOCK_CHECK(run_.is_object() && !run_.contains("files"), "a run's record is an object, its files apart");
}

bool FolderRecord::is_current() const {
  if (before_.is_null()) return false;
  Value run = before_;
  run.erase("files");
  return run == run_;
}

std::vector<std::string> FolderRecord::damaged_files() const {
  std::vector<std::string> damaged;
  if (before_.is_null()) return damaged;
  for (const auto& [name, recorded] : before_.at("files").items()) {
    if (!is_as_recorded(folder_ / name, recorded)) damaged.push_back(name);
  }
  return damaged;
}

void FolderRecord::add(const std::string& name) {
  if (!fs::is_directory(folder_ / name)) {
    files_[name] = fingerprint_of(folder_ / name);
    return;
  }
  for (const pipeline::FileEntry& file : pipeline::list_tree(folder_ / name))
    files_[name + "/" + file.path] = {{"size", file.size}, {"sha256", file.digest.hex()}};
}

void FolderRecord::write() const {
  Value record = run_;
  record["files"] = files_;
  pipeline::write_file(folder_ / record_name, record.dump(1) + "\n");
}

}  // namespace penstock::launch
