#include "stages/compute/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>

#include "distributed/reducer/link_model.h"
#include "stages/compute/training/make_step.h"
#include "stages/compute/training/training_step.h"
#include "stages/draws.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;
using pipeline::Value;
using Clock = std::chrono::steady_clock;

constexpr int64_t warm_up_steps = 5;  // a device records its fourth

double seconds_of(const std::function<void()>& body) {
  const auto start = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The median with a 95 % interval from order statistics, which assumes nothing of the distribution (David and Nagaraja
// 2003, Order Statistics, section 7.1).
Value median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const double reach = 0.98 * std::sqrt(n);
  const auto at = [&](double place) { return values[static_cast<size_t>(std::clamp(place, 0.0, n - 1))]; };
  return {{"median", values[values.size() / 2]},
          {"low", at(std::floor(n / 2 - reach))},
          {"high", at(std::ceil(n / 2 + reach))},
          {"n", values.size()}};
}

std::vector<GridSample> random_samples(const BenchRequest& request) {
  std::vector<GridSample> samples;
  const auto pixels = static_cast<size_t>(request.size * request.size);
  for (int64_t i = 0; i < request.global_batch; ++i) {
    GridSample sample;
    sample.id = std::to_string(i);
    const Draws draws(i, "bench sample");
    sample.image.resize(pixels * static_cast<size_t>(request.channels));
    sample.mask.resize(pixels);
    for (size_t p = 0; p < sample.image.size(); ++p) sample.image[p] = static_cast<uint8_t>(draws.below(p, 256));
    for (size_t p = 0; p < pixels; ++p) sample.mask[p] = draws.below(p, 5) == 0;
    samples.push_back(std::move(sample));
  }
  return samples;
}

TrainParameters parameters_of(const BenchRequest& request) {
  TrainParameters parameters;
  parameters.base_channels = request.base_channels;
  parameters.depth = request.depth;
  parameters.norm = request.norm;
  parameters.global_batch = request.global_batch;
  parameters.micro_batch = request.micro_batch;
  parameters.device = request.device;
  parameters.precision = request.precision;
  return parameters;
}

Architecture architecture_of(const BenchRequest& request) {
  return {request.channels, request.base_channels, request.depth, request.norm, 0};
}
ShardIndex grid_of(const BenchRequest& request) {
  const auto side = static_cast<int>(request.size);
  return {side, side, static_cast<int>(request.channels), {}};
}

// Training as it is, one step a call.
template <typename Step>
class Steps {
 public:
  Steps(const BenchRequest& request, std::unique_ptr<Step> step)
      : samples_(random_samples(request)), step_(std::move(step)) {
    for (int i = 0; i < static_cast<int>(samples_.size()); ++i) order_.push_back(i);
  }
  void operator()() { step_->step(samples_, order_, 0, 0, 1e-4, false); }
  Step& step() { return *step_; }

 private:
  std::vector<GridSample> samples_;
  std::unique_ptr<Step> step_;
  std::vector<int> order_;
};

// What train would take.
std::shared_ptr<Steps<TrainingStep>> usual_steps(const BenchRequest& request, Communicator& ranks, int threads,
                                                 const std::string& graph = "auto") {
  TrainParameters parameters = parameters_of(request);
  parameters.graph = graph;
  return std::make_shared<Steps<TrainingStep>>(
      request, make_step(parameters, architecture_of(request), grid_of(request), Normaliser{}, ranks, threads,
                         {reproducible_of(parameters), false}));
}

std::shared_ptr<Steps<TrainingState>> host_steps(const BenchRequest& request, Communicator& ranks, int threads) {
  return std::make_shared<Steps<TrainingState>>(
      request, std::make_unique<TrainingState>(parameters_of(request), architecture_of(request), grid_of(request),
                                               Normaliser{}, ranks, threads, StepOptions{}));
}

// The same work without the reducer, for a lone rank: each worker lets backward add up its micro-shards where LibTorch
// keeps them, and the workers' sums are added before the update.
class PlainSteps {
 public:
  PlainSteps(const BenchRequest& request, int threads)
      : parameters_(parameters_of(request)),
        samples_(random_samples(request)),
        grid_(grid_of(request)),
        layout_(layout_of(UNet(architecture_of(request)))),
        optimiser_(parameters_, static_cast<size_t>(layout_.parameter_count)),
        pool_(threads) {
    initialise(layout_, 0, weights_.parameters, weights_.statistics);
    sum_.resize(weights_.parameters.size());
    for (int worker = 0; worker < threads; ++worker) {
      workers_.push_back(std::make_unique<Worker>(
          Worker{UNet(architecture_of(request)), weights_.statistics, make_batch(request.micro_batch, grid_)}));
      alias(workers_.back()->model, layout_, weights_.parameters.data(), workers_.back()->statistics.data());
    }
  }

  void operator()() {
    for (auto& worker : workers_) worker->model->zero_grad();
    pool_.run(static_cast<int>(parameters_.micro_shards()), [&](int index, int shard) {
      Worker& worker = *workers_[index];
      std::vector<const GridSample*> chosen;
      for (int64_t i = 0; i < parameters_.micro_batch; ++i)
        chosen.push_back(&samples_[shard * parameters_.micro_batch + i]);
      fill_batch(worker.batch, chosen, {}, Normaliser{}, grid_);
      worker.model->train();
      const auto logits = worker.model(worker.batch.images);
      (torch::binary_cross_entropy_with_logits(logits, worker.batch.masks) *
       (1.0 / static_cast<double>(parameters_.micro_shards())))
          .backward();
    });
    std::fill(sum_.begin(), sum_.end(), 0.0f);
    for (auto& worker : workers_) {
      auto named = worker->model->named_parameters();
      for (const auto& slot : layout_.parameters) {
        const torch::Tensor gradient = named[slot.name].grad();
        if (!gradient.defined()) continue;
        const float* values = gradient.data_ptr<float>();
        for (int64_t i = 0; i < slot.count; ++i) sum_[slot.offset + i] += values[i];
      }
    }
    optimiser_.update(weights_.parameters, sum_.data(), optimiser_.norm_of(sum_.data(), pool_), 1e-4, ++step_, pool_);
  }

 private:
  struct Worker {
    UNet model;
    std::vector<float> statistics;
    Batch batch;
  };

  TrainParameters parameters_;
  std::vector<GridSample> samples_;
  ShardIndex grid_;
  FlatLayout layout_;
  Weights weights_;
  std::vector<float> sum_;
  Optimiser optimiser_;
  WorkerPool pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int64_t step_ = 0;
};

Value throughput(const BenchRequest& request, std::vector<double> seconds) {
  const Value median = median_of(std::move(seconds));
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
Value in_turn(const BenchRequest& request, const char* name_a, const char* name_b, const std::function<Ways()>& make) {
  std::vector<double> seconds_a, seconds_b, ratios;
  for (int64_t done = 0; done < request.steps; done += steps_of_a_pair) {
    const auto [a, b] = make();
    const int64_t steps = std::min(request.steps - done, steps_of_a_pair);
    for (int64_t step = -warm_up_steps; step < steps; ++step) {
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
          {"ratio", median_of(ratios)}};
}

// Clipping and the optimiser's update of so many weights: what a step does once, however many ranks share its
// micro-shards.
double update_seconds(const BenchRequest& request, size_t weights, int threads) {
  WorkerPool pool(threads);
  Optimiser optimiser(parameters_of(request), weights);
  std::vector<float> values(weights, 1.0f), gradient(weights, 1e-3f);
  std::vector<double> seconds;
  for (int64_t step = 1; step <= warm_up_steps + request.steps; ++step) {
    const double took = seconds_of(
        [&] { optimiser.update(values, gradient.data(), optimiser.norm_of(gradient.data(), pool), 1e-4, step, pool); });
    if (step > warm_up_steps) seconds.push_back(took);
  }
  return median_of(std::move(seconds)).at("median");
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

Value bench_train(const BenchRequest& request, Communicator& ranks, int threads) {
  keep_memory();  // as train
  if (request.compare.empty()) {
    auto steps = usual_steps(request, ranks, threads);
    std::vector<double> seconds;
    for (int64_t step = -warm_up_steps; step < request.steps; ++step) {
      const double took = seconds_of([&] { (*steps)(); });
      if (step >= 0) seconds.push_back(took);
    }
    Value result = throughput(request, seconds);
    result["device"] = steps->step().device_name();
    result["reproducible"] = name_of(steps->step().reproducible());
    result["peak_memory_bytes"] = peak_memory_bytes(ranks);
    result["update_seconds"] =
        update_seconds(request, static_cast<size_t>(steps->step().layout().parameter_count), threads);
    return result;
  }
  if (request.compare == "graph") {
    return in_turn(request, "graph", "eager", [&] {
      const auto recorded = usual_steps(request, ranks, threads), eager = usual_steps(request, ranks, threads, "off");
      return Ways{[recorded] { (*recorded)(); }, [eager] { (*eager)(); }};
    });
  }
  if (request.compare == "overlap") {
    return in_turn(request, "overlap", "after", [&] {
      const auto steps = host_steps(request, ranks, threads);
      const auto with = [steps](bool overlap) {
        return [steps, overlap] { steps->step().set_overlap(overlap), (*steps)(); };
      };
      return Ways{with(true), with(false)};
    });
  }
  if (request.norm == "sync")
    throw Error(ExitCode::usage, "bench train --compare " + request.compare +
                                     ": not with --norm sync, whose ranks add up in one way only");
  if (request.compare == "reducer") {
    if (ranks.size() > 1)
      throw Error(
          ExitCode::usage,
          "bench train --compare reducer: for one rank; without a reducer several ranks would not train together");
    return in_turn(request, "reducer", "none", [&] {
      const auto steps = host_steps(request, ranks, threads);
      const auto plain = std::make_shared<PlainSteps>(request, threads);
      return Ways{[steps] { (*steps)(); }, [plain] { (*plain)(); }};
    });
  }
  return in_turn(request, "world", "run", [&] {
    const auto steps = host_steps(request, ranks, threads);
    const auto with = [steps](Reproducible mode) {
      return [steps, mode] { steps->step().set_reproducible(mode), (*steps)(); };
    };
    return Ways{with(Reproducible::world), with(Reproducible::run)};
  });
}

// ---- reductions ----

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
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

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

}  // namespace

Value bench(const BenchRequest& request, Communicator& ranks, int threads) {
  Value result = request.what == "train" ? bench_train(request, ranks, threads) : bench_reduce(request, ranks);
  result["what"] = request.what;
  result["ranks"] = ranks.size();
  result["threads"] = threads;
  return result;
}

}  // namespace penstock::stages
