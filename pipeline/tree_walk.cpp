#include "pipeline/tree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/interruption.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using distributed::printable_name;

// Folders that link to one another several times over multiply what is to be read; nobody means that.
constexpr size_t most_linked_folders = 100'000;

[[noreturn]] void refuse(const std::string& shown, const std::string& fault) {
  throw Error(ExitCode::data, shown + ": " + fault);
}

// A link that cannot be followed, with the errno of the attempt.
[[noreturn]] void refuse_link(const std::string& shown, const std::string& to, int problem) {
  const std::string link = "is a link to '" + printable_name(to) + "', which ";
  if (problem == ELOOP) refuse(shown, link + "leads back to itself");
  if (problem != ENOENT && problem != ENOTDIR) refuse(shown, link + "cannot be read: " + std::strerror(problem));
  refuse(shown, link + "does not exist: fetch the content (git annex get, datalad get, dvc pull), or remove the link");
}

class Walk {
 public:
  Walk(const fs::path& root, TreeKind kind, std::string shown, const TreeVisitor& visitor)
      : root_(root), kind_(kind), shown_(std::move(shown)), visitor_(visitor) {
    std::error_code gone;
    for (fs::path inner = fs::canonical(root, gone); inner.has_relative_path(); inner = inner.parent_path()) {
      struct stat status = {};
      if (stat(inner.parent_path().c_str(), &status) == 0) above_.emplace_back(status.st_dev, status.st_ino);
    }
  }

  // Visits an opened folder and closes it. `prefix` ends in '/' or is empty.
  void visit(int descriptor, const std::string& prefix) {
    DIR* folder = descriptor < 0 ? nullptr : fdopendir(descriptor);
    if (folder == nullptr) {
      const int problem = errno;
      if (descriptor >= 0) close(descriptor);
      refuse(shown(prefix), std::string("cannot be listed: ") + std::strerror(problem));
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> closing(folder, closedir);
    struct stat own = {};
    fstat(descriptor, &own);
    above_.emplace_back(own.st_dev, own.st_ino);
    while (const dirent* entry = readdir(folder)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      throw_if_interrupted(root_);
      visit_entry(descriptor, entry->d_name, prefix + entry->d_name);
    }
    above_.pop_back();
  }

 private:
  std::string shown(const std::string& path) const {
    const std::string name = printable_name(path);
    return path.empty() ? shown_ : shown_ + "/" + (name.ends_with('/') ? name.substr(0, name.size() - 1) : name);
  }

  void visit_entry(int folder, const char* name, const std::string& path) {
    struct stat status = {};
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
      refuse(shown(path), std::string("cannot be read: ") + std::strerror(errno));
    if (kind_ == TreeKind::stored && !distributed::is_utf8(path))
      refuse(shown(path), "its name is not UTF-8; give the file a name in UTF-8");
    const bool link = S_ISLNK(status.st_mode);
    if (link) status = target_of(folder, name, path);
    if (S_ISREG(status.st_mode)) return visitor_.file(path, status);
    if (!S_ISDIR(status.st_mode))
      refuse(shown(path), "is " + kind_name(status.st_mode) + "; only regular files and folders can be used");
    if (visitor_.folder) visitor_.folder(path);
    visit(openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (link ? 0 : O_NOFOLLOW)), path + "/");
  }

  // What the link leads to, a regular file or a folder.
  struct stat target_of(int folder, const char* name, const std::string& path) {
    if (kind_ == TreeKind::stored)
      refuse(shown(path), "is a symbolic link; only regular files and folders can be kept: copy what it leads to");
    char text[4096];
    const ssize_t size = readlinkat(folder, name, text, sizeof text);
    const std::string to = printable_name(std::string_view(text, static_cast<size_t>(std::max<ssize_t>(size, 0))));
    struct stat status = {};
    if (fstatat(folder, name, &status, 0) != 0) refuse_link(shown(path), to, errno);
    if (S_ISREG(status.st_mode)) return status;
    if (!S_ISDIR(status.st_mode))
      refuse(shown(path), "is a link to '" + to + "', which is " + kind_name(status.st_mode) +
                              "; only regular files and folders can be used");
    if (std::find(above_.begin(), above_.end(), std::pair(status.st_dev, status.st_ino)) != above_.end())
      refuse(shown(path), "is a link to '" + to + "', a folder that holds it: remove the link");
    if (++linked_folders_ > most_linked_folders)
      refuse(shown(path),
             "is link number " + std::to_string(linked_folders_) + " to a folder; do the folders link to one another?");
    return status;
  }

  const fs::path& root_;
  TreeKind kind_;
  std::string shown_;
  const TreeVisitor& visitor_;
  std::vector<std::pair<dev_t, ino_t>> above_;  // folders that hold the root, and those that are being visited
  size_t linked_folders_ = 0;
};

}  // namespace

void walk_tree(const fs::path& root, const std::string& shown, TreeKind kind, const TreeVisitor& visitor) {
  struct stat status = {};
  const int missing = kind == TreeKind::stored ? lstat(root.c_str(), &status) : stat(root.c_str(), &status);
  if (missing != 0) refuse(shown, std::string("cannot be listed: ") + std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) refuse(shown, "is " + kind_name(status.st_mode) + " where a folder should be");
  Walk(root, kind, shown, visitor).visit(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
}

std::string kind_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "a regular file";
    case S_IFDIR:
      return "a folder";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

void require_whole_link(const fs::path& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode) || stat(path.c_str(), &status) == 0) return;
  const int problem = errno;
  std::error_code gone;
  refuse_link(path.string(), fs::read_symlink(path, gone).string(), problem);
}

void require_regular_file(const fs::path& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;  // whoever opens it names what is missing
  refuse(path.string(), "is " + kind_name(status.st_mode) + " where a regular file should be");
}

}  // namespace penstock::pipeline
