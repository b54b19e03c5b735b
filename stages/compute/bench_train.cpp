#include "stages/compute/bench_train.h"

#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "stages/compute/bench_steps.h"
#include "stages/compute/bench_timing.h"
#include "stages/compute/step/make_step.h"
#include "stages/training/name_table.h"
#include "stages/training/norms.h"
#include "stages/training/precisions.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;
using pipeline::Value;

Value throughput(const BenchRequest& request, std::vector<double> seconds) {
  const Value median = median_with_interval(std::move(seconds));
  return {{"images_per_second", static_cast<double>(request.global_batch) / median.at("median").get<double>()},
          {"step_seconds", median}};
}

// Two ways to take a step, with what they work on.
struct Ways {
  std::function<void()> a, b;
};
constexpr int64_t steps_of_a_pair = 20;

// A, B, B, A, A, B, ...: a machine whose speed drifts drifts for both, and neither is always the one that comes after
// the other. They are made afresh now and then: two that are alike differ by some 3 % for no other reason than where
// their memory lies.
Value alternate(const BenchRequest& request, const char* name_a, const char* name_b,
                const std::function<Ways()>& make) {
  std::vector<double> seconds_a, seconds_b, ratios;
  for (int64_t done = 0; done < request.steps; done += steps_of_a_pair) {
    const auto [a, b] = make();
    const int64_t steps = std::min(request.steps - done, steps_of_a_pair);
    for (int64_t step = -bench_warm_up_steps; step < steps; ++step) {
      double took_b = 0;
      if (step % 2 != 0) took_b = seconds_of(b);
      const double took_a = seconds_of(a);
      if (step % 2 == 0) took_b = seconds_of(b);
      if (step < 0) continue;
      seconds_a.push_back(took_a);
      seconds_b.push_back(took_b);
      ratios.push_back(took_a / took_b);
    }
  }
  return {{"a", name_a},
          {"b", name_b},
          {name_a, throughput(request, seconds_a)},
          {name_b, throughput(request, seconds_b)},
          {"ratio", median_with_interval(ratios)}};
}

// Clipping and the optimiser's update of so many weights: what a step does once, however many ranks share its
// micro-shards.
double update_seconds(const BenchRequest& request, size_t weights, int threads) {
  WorkerPool pool(threads);
  Optimiser optimiser(parameters_of(request), weights);
  std::vector<float> values(weights, 1.0f), gradient(weights, 1e-3f);
  std::vector<double> seconds;
  for (int64_t step = 1; step <= bench_warm_up_steps + request.steps; ++step) {
    const double took = seconds_of([&] {
      optimiser.update(values, gradient.data(), optimiser.norm_of(gradient.data(), pool), {1e-4}, step, pool);
    });
    if (step > bench_warm_up_steps) seconds.push_back(took);
  }
  return median_with_interval(std::move(seconds)).at("median");
}

// Collective. The largest of all ranks' processes so far.
int64_t peak_memory_bytes(Communicator& ranks) {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  int64_t mine = int64_t{used.ru_maxrss} * 1024;
  std::vector<int64_t> all(ranks.size());
  ranks.all_gather(distributed::buffer_of(&mine, 1), distributed::buffer_of(all.data(), all.size()), "peak memory");
  return *std::max_element(all.begin(), all.end());
}

Value bench_usual(const BenchRequest& request, Communicator& ranks, int threads) {
  auto steps = usual_steps(request, ranks, threads);
  std::vector<double> seconds;
  for (int64_t step = -bench_warm_up_steps; step < request.steps; ++step) {
    const double took = seconds_of([&] { (*steps)(); });
    if (step >= 0) seconds.push_back(took);
  }
  Value result = throughput(request, seconds);
  result["device"] = steps->step().device_name();
  result["precision"] = request.precision;
  result["reproducible"] = name_of(steps->step().reproducible());
  result["peak_memory_bytes"] = peak_memory_bytes(ranks);
  result["crop_seconds"] = {{"plain", crop_seconds(request, false)}, {"augmented", crop_seconds(request, true)}};
  result["update_seconds"] =
      update_seconds(request, static_cast<size_t>(steps->step().layout().parameter_count), threads);
  return result;
}

// ---- comparisons ----

Value compare_graph(const BenchRequest& request, Communicator& ranks, int threads) {
  return alternate(request, "graph", "eager", [&] {
    const auto recorded = usual_steps(request, ranks, threads), eager = usual_steps(request, ranks, threads, "off");
    return Ways{[recorded] { (*recorded)(); }, [eager] { (*eager)(); }};
  });
}

Value compare_overlap(const BenchRequest& request, Communicator& ranks, int threads) {
  return alternate(request, "overlap", "after", [&] {
    const auto steps = host_steps(request, ranks, threads);
    const auto with = [steps](bool overlap) {
      return [steps, overlap] { steps->step().set_overlap(overlap), (*steps)(); };
    };
    return Ways{with(true), with(false)};
  });
}

void refuse_norm_over_ranks(const BenchRequest& request) {
  if (!norm_rule(request.norm).over_ranks) return;
  throw Error(ExitCode::usage, "bench train --compare " + request.compare + ": not with --norm " + request.norm +
                                   ", whose ranks sum in one way only");
}

Value compare_reducer(const BenchRequest& request, Communicator& ranks, int threads) {
  refuse_norm_over_ranks(request);
  if (ranks.size() > 1) {
    throw Error(
        ExitCode::usage,
        "bench train --compare reducer: for one rank; without a reducer several ranks would not train together");
  }
  if (precision_rule(request.precision).bfloat16)
    throw Error(ExitCode::usage, "bench train --compare reducer: in fp32 only, as the training without a reducer is");
  return alternate(request, "reducer", "none", [&] {
    const auto steps = host_steps(request, ranks, threads);
    const auto plain = std::make_shared<PlainSteps>(request, threads);
    return Ways{[steps] { (*steps)(); }, [plain] { (*plain)(); }};
  });
}

Value compare_world(const BenchRequest& request, Communicator& ranks, int threads) {
  refuse_norm_over_ranks(request);
  return alternate(request, "world", "run", [&] {
    const auto steps = host_steps(request, ranks, threads);
    const auto with = [steps](Reproducible mode) {
      return [steps, mode] { steps->step().set_reproducible(mode), (*steps)(); };
    };
    return Ways{with(Reproducible::world), with(Reproducible::run)};
  });
}

struct Comparison {
  std::string name;
  Value (*compare)(const BenchRequest& request, Communicator& ranks, int threads) = nullptr;
};

const std::vector<Comparison>& comparisons() {
  static const std::vector<Comparison> all = {{"", bench_usual},
                                              {"graph", compare_graph},
                                              {"overlap", compare_overlap},
                                              {"reducer", compare_reducer},
                                              {"world", compare_world}};
  return all;
}

}  // namespace

Value bench_train(const BenchRequest& request, Communicator& ranks, int threads) {
  keep_memory();  // as train
  BenchRequest decided = request;
  if (precision_rule(request.precision).by_machine) decided.precision = faster_precision(parameters_of(request), ranks);
  return row_of(comparisons(), "comparison", request.compare).compare(decided, ranks, threads);
}

}  // namespace penstock::stages
