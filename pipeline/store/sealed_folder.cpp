#include "pipeline/store/sealed_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/value.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* list_name = "list.json";
constexpr const char* files_name = "files";

std::string list_text(const std::vector<FileEntry>& entries) {
  Value files = Value::array();
  for (const FileEntry& entry : entries)
    files.push_back({{"path", entry.path}, {"size", entry.size}, {"digest", entry.digest.hex()}});
  return Value{{"files", std::move(files)}}.dump() + "\n";
}

}  // namespace

Digest seal(const fs::path& files, const fs::path& holder, const DigestOfFile& digest_of) {
  PENSTOCK_CHECK(!is_sealed(holder), "a folder is sealed once: " + holder.string());
  PENSTOCK_CHECK(fs::is_directory(files), "what is sealed is a folder: " + files.string());
  make_folder(holder);
  sync_tree(files);
  const std::vector<FileEntry> entries = list_tree(files, digest_of);
  fs::rename(files, holder / files_name);
  write_file(holder / list_name, list_text(entries));
  return digest_of_tree(entries);
}

std::optional<Digest> verified(const fs::path& holder, const DigestOfFile& digest_of) {
  try {
    const std::string list = read_file(holder / list_name);
    const std::vector<FileEntry> entries = list_tree(holder / files_name, digest_of);
    if (list_text(entries) != list) return std::nullopt;
    return digest_of_tree(entries);
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;  // it was not read to its end
    return std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

bool is_sealed(const fs::path& holder) { return access((holder / list_name).c_str(), F_OK) == 0; }
fs::path files_of(const fs::path& holder) { return holder / files_name; }

bool rename_into_place(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return true;
  if (errno == EEXIST || errno == ENOTEMPTY) return false;
  const bool device = errno == ENOSPC || errno == EIO || errno == EDQUOT;
  throw Error(device ? ExitCode::io : ExitCode::cannot_create,
              to.string() + ": cannot rename into place: " + std::strerror(errno));
}

}  // namespace penstock::pipeline
