// How samples are divided into subsets: draws by rank of a hash of the seed and a name, whole groups, and what leaks
// between subsets. Pure: the same on every rank.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

using Subsets = std::map<std::string, std::vector<std::string>>;  // "train", "validation", "test": ids
using Groups = std::map<std::string, std::string>;                // of each sample that inspect describes, its group

// "2/5": the second of five.
struct Fold {
  int64_t number = 0, of = 0;
};
std::optional<Fold> fold_of(const std::string& text);

// Of all samples. With a fold, `validation` is not used.
struct Shares {
  double validation = 0, test = 0;
  std::optional<Fold> fold;
  int64_t seed = 0;
};

// Each stratum's samples in the order of their u: its first ones are the test subset, then follows validation (a share,
// or one fold of what the test leaves), the rest trains. Over all strata the shares are exact to one sample.
Subsets draw_subsets(const std::vector<std::vector<std::string>>& strata, const Shares& shares);

// Groups are taken whole, each in the order of the u of its name, so that shares are as near as whole groups allow.
// Throws Error(data) for a sample without a group, and where there are too few groups.
Subsets draw_groups(const std::vector<std::string>& ids, const Groups& groups, const Shares& shares);

// What belongs together and stands in several subsets: {"held_out": samples that validate or test, "related": those of
// which a relative stands in another subset, "groups": [{"group", "<subset>": [id..]..}]}.
pipeline::Value leakage_of(const Subsets& subsets, const Groups& groups);

}  // namespace penstock::stages
