// A user's own division of the samples: a CSV file that says which subset each id is in. Pure, but for reading it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "stages/subset_draws.h"

namespace penstock::stages {

struct SplitList {
  Subsets subsets;
  std::vector<std::string> unlisted;  // labelled samples that it does not name
  std::vector<std::string> left_out;  // that it names, and that on_bad left out before
  std::vector<std::string> unread;    // columns beside the id's and the subset's
};

// Lines "id,subset", where the last field is the subset, so that an id with commas may stand without quotes; or columns
// of any order below a line that names them, among them "subset" and "id" or "image_id". Empty lines and those that
// begin with "#" are passed over. Throws Error(data) with file and line for a subset that is none, and for an id that
// stands there twice or is none of `labelled` and `left_out`.
SplitList read_split_list(const std::filesystem::path& file, const std::vector<std::string>& labelled,
                          const std::set<std::string>& left_out);

}  // namespace penstock::stages
