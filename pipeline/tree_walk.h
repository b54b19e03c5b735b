// What lies below a folder, and which kinds of files may: FIFOs, sockets and devices never do, for to open one may wait
// for ever.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>

namespace penstock::pipeline {

enum class TreeKind {
  input,   // of a user: links to files and folders are followed (DVC, git-annex, Nextflow); names may be any bytes
  stored,  // of the store: no links, and names are UTF-8
};

struct TreeVisitor {
  // `path` is relative, '/' between parts; `status` is the target's where `path` is a link.
  std::function<void(const std::string& path, const struct stat& status)> file;
  std::function<void(const std::string& path)> folder = {};  // before what lies in it; not for the root
};

// Visits every regular file below `root` in the file system's order. Throws Error(data) naming the path, which begins
// with `shown`: a special file; of an input also a link to nothing, to itself, to a special file or to a folder that
// holds it; of the store any link and any name that is not UTF-8; a root that is none of the kind; a folder that cannot
// be listed. Ends with Error(interrupted) as throw_if_interrupted does.
void walk_tree(const std::filesystem::path& root, const std::string& shown, TreeKind kind, const TreeVisitor& visitor);

// "a FIFO", "a socket", "a device", "a folder", "a symbolic link", "a regular file".
std::string kind_name(mode_t mode);

// Throws Error(data) when `path` is a link that leads nowhere: to say that it does not exist would puzzle.
void require_whole_link(const std::filesystem::path& path);

// Before it is opened to be read. Throws Error(data) unless `path` leads to a regular file; `path` is named.
void require_regular_file(const std::filesystem::path& path);

}  // namespace penstock::pipeline
