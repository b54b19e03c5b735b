// A folder of files beside a list of their sizes and digests, so that any later damage shows: objects and chunks are
// such folders. Used by the store alone; any thread. A sealed folder is complete and synced, and is not written again.
//
//   <holder>/list.json   {"files": [{"path", "size", "digest"}]}, sorted by path
//   <holder>/files/      the files
#pragma once

#include <filesystem>
#include <optional>

#include "pipeline/files.h"

namespace penstock::pipeline {

// Syncs all below `files`, moves it to `holder`/files and writes the list. Returns the digest of the tree. Once for
// each holder. Reads every file, unless it is given another way to digests.
Digest seal(const std::filesystem::path& files, const std::filesystem::path& holder,
            const DigestOfFile& digest_of = {});

// Reads every file. The digest of the tree; nullopt when anything is missing, added or different. Error(interrupted) as
// digest_of_file, which `digest_of` calls for each file if it is given.
std::optional<Digest> verified(const std::filesystem::path& holder, const DigestOfFile& digest_of = {});

bool is_sealed(const std::filesystem::path& holder);  // looks for the list only
std::filesystem::path files_of(const std::filesystem::path& holder);

// rename(2). False when something lay at `to` already; other failures throw Error(io) or Error(cannot_create).
bool rename_into_place(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace penstock::pipeline
