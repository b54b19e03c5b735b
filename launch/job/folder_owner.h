// Whose results runs/<pipeline>/ holds: two configurations of one name would overwrite each other's.
#pragma once

#include <filesystem>

namespace penstock::launch {

// Notes in `folder` that its results are those of the configuration `config`. Throws Error(cannot_create) when they are
// another file's that is still there, naming it and how to name one of the two otherwise. The note holds the path from
// the working directory, so that a copied or moved project keeps its own. Call it before anything is written there.
void claim_folder(const std::filesystem::path& folder, const std::filesystem::path& config);

}  // namespace penstock::launch
