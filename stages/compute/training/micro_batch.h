// micro_batch = "auto": the value that a training works with. It is fixed at the first attempt (fixed_choice.h), since
// another micro-batch means another batch norm.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "distributed/communicator.h"

namespace penstock::stages {

// What divides `global_batch` and gives each of `ranks` the same number of micro-shards, or at least one where that
// cannot be; the smallest first.
std::vector<int64_t> micro_batch_candidates(int64_t global_batch, int ranks);

// The largest for which `fits` is true, when it is true up to some value and false beyond; nullopt: not even the first.
std::optional<int64_t> largest_fitting(const std::vector<int64_t>& candidates,
                                       const std::function<bool(int64_t)>& fits);

// Collective. What an earlier attempt or the first of `relatives` fixed, else the smallest that any rank's `choose`
// returns.
int64_t fixed_micro_batch(distributed::Communicator& ranks, const std::filesystem::path& progress,
                          std::vector<std::filesystem::path>& relatives, const std::function<int64_t()>& choose);

}  // namespace penstock::stages
