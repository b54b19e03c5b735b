#include "stages/compute/training/micro_batch.h"

#include <algorithm>

#include "stages/compute/training/fixed_choice.h"

namespace penstock::stages {

std::vector<int64_t> micro_batch_candidates(int64_t global_batch, int ranks) {
  std::vector<int64_t> even, some;
  for (int64_t micro = 1; micro * std::min<int64_t>(ranks, global_batch) <= global_batch; ++micro) {
    if (global_batch % micro != 0) continue;
    some.push_back(micro);
    if (global_batch / micro % ranks == 0) even.push_back(micro);
  }
  return even.empty() ? some : even;
}

std::optional<int64_t> largest_fitting(const std::vector<int64_t>& candidates,
                                       const std::function<bool(int64_t)>& fits) {
  // The largest first: usually it fits.
  if (candidates.empty()) return std::nullopt;
  if (fits(candidates.back())) return candidates.back();
  const auto beyond = std::partition_point(candidates.begin(), candidates.end() - 1, fits);
  if (beyond == candidates.begin()) return std::nullopt;
  return *(beyond - 1);
}

int64_t fixed_micro_batch(distributed::Communicator& ranks, const std::filesystem::path& progress,
                          std::vector<std::filesystem::path>& relatives, const std::function<int64_t()>& choose) {
  const auto smallest = [&]() -> pipeline::Value {
    std::vector<int64_t> all(ranks.size());
    int64_t mine = choose();
    ranks.all_gather(distributed::buffer_of(&mine, 1), distributed::buffer_of(all.data(), all.size()),
                     "the largest micro-batches");
    return *std::min_element(all.begin(), all.end());
  };
  return fixed_choice(ranks, progress, relatives, "micro_batch", smallest).get<int64_t>();
}

}  // namespace penstock::stages
