#include "stages/compute/training/training_checkpoints.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <time.h>
#include <torch/version.h>

#include <algorithm>

#include "distributed/collectives.h"
#include "pipeline/packed_value.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using pipeline::Value;

constexpr double share_for_saving = 0.006;  // of the time; twice that while each epoch is the best so far
constexpr double mpirun_grace = 1;          // seconds between SIGTERM and SIGKILL; Open MPI 4.1
constexpr double first_interval = 10;       // seconds, before it is known what saving costs
constexpr double shortest_interval = 2, longest_interval = 600;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double thread_cpu_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::optional<FoundCheckpoint> load_first(const std::vector<Adoptable>& candidates) {
  for (const Adoptable& one : candidates) {
    if (auto checkpoint = load_checkpoint(one.folder, one.manifest))
      return FoundCheckpoint{one.folder, one.manifest, std::move(*checkpoint)};
  }
  return std::nullopt;
}

std::vector<Adoptable> in_folder(const fs::path& folder) {
  std::vector<Adoptable> all;
  std::vector<fs::path> damaged;
  std::vector<CheckpointManifest> manifests = read_manifests(folder, &damaged);
  for (const fs::path& file : damaged) spdlog::warn("{}: is damaged; the previous checkpoint is used", file.string());
  for (CheckpointManifest& manifest : manifests) all.push_back({folder, std::move(manifest)});
  return all;
}

}  // namespace

CheckpointWriter::CheckpointWriter(fs::path folder, size_t kept)
    : folder_(std::move(folder), kept), thread_([this] { work(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CheckpointWriter::save(Checkpoint snapshot, CheckpointManifest manifest, Clock::time_point since) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_ && !task_; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  task_.emplace(std::move(snapshot), std::move(manifest));
  cost_.blocked_seconds += seconds_since(since);
  lock.unlock();
  changed_.notify_all();
}

void CheckpointWriter::finish() {
  const auto start = Clock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_ && !task_; });
  cost_.blocked_seconds += seconds_since(start);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

CheckpointCost CheckpointWriter::cost() const {
  const std::lock_guard lock(mutex_);
  return cost_;
}

void CheckpointWriter::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || task_; });
    if (!task_) return;
    const auto [snapshot, manifest] = std::move(*task_);
    task_.reset();
    busy_ = true;
    lock.unlock();
    const auto start = Clock::now();
    const double cpu = thread_cpu_seconds();
    uint64_t bytes = 0;
    std::exception_ptr failure;
    try {
      bytes = folder_.save(snapshot, manifest);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    cost_.writer_seconds += thread_cpu_seconds() - cpu;
    cost_.write_seconds += seconds_since(start);
    cost_.bytes = bytes;
    cost_.count += failure == nullptr;
    failure_ = failure;
    busy_ = false;
    changed_.notify_all();
  }
}

double checkpoint_interval(const TrainParameters& parameters, const CheckpointCost& cost) {
  if (const double* seconds = std::get_if<double>(&parameters.checkpoint_seconds)) return *seconds;
  if (cost.count == 0) return first_interval;
  const double each = (cost.blocked_seconds + cost.writer_seconds) / static_cast<double>(cost.count);
  return std::clamp(each / share_for_saving, shortest_interval, longest_interval);
}

std::string stopping_advice(int ranks, double step_seconds, const CheckpointCost& cost) {
  if (ranks == 1 || cost.count == 0) return "";
  const double seconds = step_seconds + cost.write_seconds / static_cast<double>(cost.count);
  if (seconds < mpirun_grace) return "";
  return fmt::format(
      "a step and a save take {:.1f} s, and mpirun leaves its ranks {:.0f} s after SIGTERM: send it SIGUSR1 to stop "
      "without losing steps, or give --time-budget",
      seconds, mpirun_grace);
}

std::optional<FoundCheckpoint> find_checkpoint(distributed::Communicator& ranks, const fs::path& folder,
                                               const std::vector<fs::path>& relatives,
                                               const TrainParameters& parameters) {
  std::optional<FoundCheckpoint> found;
  if (ranks.rank() == 0) {
    found = load_first(in_folder(folder));
    std::string refusal;
    if (!found) found = load_first(adoptable_checkpoints(parameters, relatives, &refusal));
  }
  const std::string chosen = distributed::broadcast_text(
      ranks,
      found ? pipeline::packed({{"folder", found->folder.string()}, {"step", found->manifest.step}}) : std::string(), 0,
      "the checkpoint to resume from");
  if (chosen.empty()) return std::nullopt;
  const Value place = pipeline::unpacked(chosen);
  if (ranks.rank() != 0) {
    auto candidates = in_folder(place.at("folder").get<std::string>());
    std::erase_if(candidates, [&](const Adoptable& one) { return one.manifest.step != place.at("step"); });
    found = load_first(candidates);
  }
  distributed::Outcome mine;
  if (!found) {
    mine = {ExitCode::ranks,
            fmt::format("rank {} does not see the checkpoint of step {} in {}; the store must lie on a file system "
                        "that all ranks share",
                        ranks.rank(), place.at("step").get<int64_t>(), place.at("folder").get<std::string>())};
  }
  // Also keeps rank 0 from writing the next checkpoint while others still read this one.
  if (const auto all = distributed::agree(ranks, mine, "reading the checkpoint"); all.rank >= 0)
    throw Error(all.outcome.code, all.outcome.message);
  return found;
}

Value fingerprint(int ranks, int threads, const std::string& reproducible, const std::string& device) {
  return {{"penstock", PENSTOCK_VERSION},
          {"LibTorch", TORCH_VERSION},
          {"instructions", at::get_cpu_capability()},
          {"compiler", __VERSION__},
          {"ranks", ranks},
          {"threads", threads},
          {"reproducible", reproducible},
          {"device", device}};
}

std::string differences_of(const Value& before, const Value& now) {
  const bool any_ranks = before.value("reproducible", "") == "world" && now.value("reproducible", "") == "world";
  std::string text;
  for (const auto& [name, value] : now.items()) {
    const Value old =
        before.value(name, name == "device" ? Value("cpu") : Value(nullptr));  // older checkpoints do not name it
    if (old == value || (any_ranks && (name == "ranks" || name == "threads"))) continue;
    const auto shown = [](const Value& one) { return one.is_string() ? one.get<std::string>() : one.dump(); };
    text += fmt::format("{}{} {} -> {}", text.empty() ? "" : ", ", name, shown(old), shown(value));
  }
  return text;
}

}  // namespace penstock::stages
