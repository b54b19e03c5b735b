#include "stages/compute/training/micro_batch.h"

#include <algorithm>

#include "pipeline/files.h"
#include "pipeline/value.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

constexpr const char* file_name = "micro_batch.json";

// 0: none is kept there.
int64_t kept_in(const fs::path& folder) {
  if (!fs::exists(folder / file_name)) return 0;
  return Value::parse(pipeline::read_file(folder / file_name)).at("micro_batch").get<int64_t>();
}

}  // namespace

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

int64_t fixed_micro_batch(distributed::Communicator& ranks, const fs::path& progress, std::vector<fs::path>& relatives,
                          const std::function<int64_t()>& choose) {
  int64_t fixed = 0;
  if (ranks.rank() == 0) {
    fixed = kept_in(progress);
    for (auto relative = relatives.begin(); fixed == 0 && relative != relatives.end(); ++relative)
      fixed = kept_in(*relative);
  }
  ranks.broadcast(distributed::buffer_of(&fixed, 1), 0, "the micro-batch of earlier attempts");
  if (fixed == 0) {
    std::vector<int64_t> all(ranks.size());
    int64_t mine = choose();
    ranks.all_gather(distributed::buffer_of(&mine, 1), distributed::buffer_of(all.data(), all.size()),
                     "the largest micro-batches");
    fixed = *std::min_element(all.begin(), all.end());
  }
  if (ranks.rank() == 0 && kept_in(progress) == 0)
    pipeline::write_file(progress / file_name, Value{{"micro_batch", fixed}}.dump() + "\n");
  std::erase_if(relatives, [&](const fs::path& relative) { return kept_in(relative) != fixed; });
  return fixed;
}

}  // namespace penstock::stages
