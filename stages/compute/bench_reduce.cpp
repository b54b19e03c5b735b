#include "stages/compute/bench_reduce.h"

#include <optional>

#include "distributed/reducer/exchange.h"
#include "distributed/reducer/gradient_reducer.h"
#include "distributed/reducer/link_model.h"
#include "stages/compute/bench_timing.h"
#include "stages/compute/training/median.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;
using pipeline::Value;

double reduce_seconds(Communicator& ranks, size_t count, int64_t times, std::optional<Reproducible> through) {
  std::vector<float> values(count, 1.0f);
  std::optional<distributed::GradientReducer> reducer;
  if (through)
    reducer.emplace(ranks, std::vector<distributed::Bucket>{{0, count}},
                    distributed::ReducerOptions{ranks.size(), *through, false});
  std::vector<double> seconds;
  for (int64_t time = -2; time < times; ++time) {
    ranks.barrier("bench");
    const double took = seconds_of([&] {
      if (!reducer) return ranks.all_reduce(distributed::buffer_of(values.data(), count), "bench");
      reducer->begin("bench");
      for (int shard = reducer->mine().first; shard < reducer->mine().second; ++shard) reducer->ready(shard, 0);
      reducer->finish();
    });
    if (time >= 0) seconds.push_back(took);
  }
  return median_of(std::move(seconds));
}

}  // namespace

Value bench_reduce(const BenchRequest& request, Communicator& ranks) {
  const std::vector<size_t> sizes = {1 << 10, 1 << 14, 1 << 17, 1 << 19, 1 << 21, 1 << 23};  // floats
  std::vector<double> plain;
  Value rows = Value::array();
  for (const size_t count : sizes) {
    plain.push_back(reduce_seconds(ranks, count, request.steps, std::nullopt));
    rows.push_back({{"bytes", count * sizeof(float)},
                    {"all_reduce_seconds", plain.back()},
                    {"run_seconds", reduce_seconds(ranks, count, request.steps, Reproducible::run)},
                    {"world_seconds", reduce_seconds(ranks, count, request.steps, Reproducible::world)}});
  }
  if (ranks.size() == 1) return {{"rows", rows}};
  std::vector<double> bytes;
  for (const size_t count : sizes) bytes.push_back(static_cast<double>(count * sizeof(float)));
  const distributed::Link link = distributed::fit_link(bytes, plain, ranks.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    rows[i]["model_seconds"] = distributed::all_reduce_seconds(bytes[i], ranks.size(), {link, link, 0});
    const auto exchange =
        distributed::exchanges_of({{0, sizes[i]}}, ranks.size(), ranks.size(), Reproducible::world).front();
    rows[i]["world_model_seconds"] = distributed::seconds_of(exchange, ranks.size(), {link, link, 0});
  }
  return {{"rows", rows},
          {"link", {{"latency_seconds", link.latency_seconds}, {"bytes_per_second", link.bytes_per_second}}}};
}

}  // namespace penstock::stages
