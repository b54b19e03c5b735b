// Files that are never half-written, and folders as digests. Free functions; any thread and any process.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/digest.h"

namespace penstock::pipeline {

// Writes `bytes` beside `path`, syncs, and renames: a reader sees the old file or the new one. Makes missing folders.
// Throws Error(io) on a full disk or I/O error, Error(cannot_create) when the place cannot be written.
void write_file(const std::filesystem::path& path, std::string_view bytes);
// The same with bytes that lie in several places.
void write_file(const std::filesystem::path& path, std::span<const std::string_view> pieces);

// As write_file, unless something is at `path`: then false. Of several concurrent calls one wins, on this machine or
// another: link(2) is atomic and never replaces.
bool publish_file(const std::filesystem::path& path, std::string_view bytes);

// The whole file. Throws Error(data) when missing or no regular file, Error(io) on a read error.
std::string read_file(const std::filesystem::path& path);

// Makes the folder and its parents; Error(cannot_create) names the path and the reason.
void make_folder(const std::filesystem::path& path);

// `to` becomes a second name of `from`'s bytes: a hard link, or a synced copy where links cannot be made. For files
// that nobody writes again (chunks, objects).
void link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to);

// A copy that shares no inode (reflink where the file system can): for what people may edit. Of a link, what it leads
// to.
void copy_tree(const std::filesystem::path& from, const std::filesystem::path& to);

// Calls fsync on every file and folder below `path`, and on `path`. Error(data) for what the store cannot hold
// (TreeKind::stored in tree_walk.h), before it is opened.
void sync_tree(const std::filesystem::path& path);
// Syncs the names in one folder: what was renamed into it and removed from it.
void sync_folder(const std::filesystem::path& path);

struct FileEntry {
  std::string path;  // relative, '/' between parts, as bytes
  uint64_t size = 0;
  Digest digest;
};

// Device, inode, size, mtime and ctime in nanoseconds: rewriting a file changes at least its ctime.
using FileSignature = std::array<int64_t, 5>;
// Of what a link leads to. Throws Error(data) naming `path` when it is missing, or neither a file nor a folder.
FileSignature signature_of(const std::filesystem::path& path);
inline int64_t size_in(const FileSignature& signature) { return signature[2]; }

struct TreeFile {
  std::string path;  // relative, as in FileEntry
  FileSignature signature;
};

// Every regular file below `folder`, an input, sorted by path, bytewise; reads none. Throws as walk_tree does of a
// TreeKind::input.
std::vector<TreeFile> tree_of(const std::filesystem::path& folder);

// How list_tree comes to a file's digest. The signature was taken before.
using DigestOfFile = std::function<Digest(const std::filesystem::path& file, const FileSignature& signature)>;

// The same of a folder for the store (TreeKind::stored), with sizes and digests; reads every file, unless it is given
// another way to digests.
std::vector<FileEntry> list_tree(const std::filesystem::path& folder, const DigestOfFile& digest_of = {});

// H over (path, size, digest) of each entry, in order.
Digest digest_of_tree(const std::vector<FileEntry>& entries);

}  // namespace penstock::pipeline
