#include "stages/compute/trainer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <numbers>

#include "distributed/collectives.h"
#include "pipeline/events.h"

namespace penstock::stages {
namespace {

using distributed::Reproducible;
using pipeline::Value;

// Gathering the tree's nodes moves (ranks) vectors where an all-reduce moves about two.
constexpr int world_up_to_ranks = 4;

Reproducible mode_of(const TrainParameters& parameters, int ranks) {
  if (parameters.reproducible == "auto") return ranks <= world_up_to_ranks ? Reproducible::world : Reproducible::run;
  return parameters.reproducible == "world" ? Reproducible::world : Reproducible::run;
}

bool larger(const TrainParameters& parameters) {
  return parameters.mode == "auto" ? larger_is_better(parameters.monitor) : parameters.mode == "max";
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 1; }

Value row_of(const Figures& f) {
  return {{"loss", f.loss},
          {"accuracy", f.tp + f.tn},
          {"precision", ratio(f.tp, f.tp + f.fp)},
          {"recall", ratio(f.tp, f.tp + f.fn)},
          {"f1", ratio(2 * f.tp, 2 * f.tp + f.fp + f.fn)}};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Trainer::Trainer(const TrainParameters& parameters, const TrainData& data, const Normaliser& normaliser, pipeline::StageContext& context)
    : parameters_(parameters), data_(data), context_(context), ranks_(context.ranks),
      architecture_{data.grid.channels, parameters.base_channels, parameters.depth, parameters.norm, parameters.dropout},
      reproducible_(mode_of(parameters, context.ranks.size())),
      state_(parameters, architecture_, data.grid, normaliser, context.ranks, context.threads, reproducible_),
      best_(larger(parameters), parameters.every),
      stopping_(larger_is_better(parameters.stop_monitor), parameters.stop_patience, parameters.stop_min_delta, parameters.stop_warm_up),
      checkpoints_(context.progress) {
  for (const GridSample& sample : data.train) ids_.push_back(sample.id);
  const auto count = static_cast<int64_t>(data.train.size());
  steps_per_epoch_ = (count + parameters.global_batch - 1) / parameters.global_batch;
}

void Trainer::train() {
  resume();
  while (epoch_ < parameters_.epochs && !stopped_early_) {
    epoch_start_ = Clock::now();
    run_epoch();
    end_epoch();
  }
  save();
}

// Cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts; by step, so that epochs have no edges.
double Trainer::learning_rate() const {
  if (parameters_.schedule == "constant") return parameters_.lr;
  const double done = (static_cast<double>(epoch_) + static_cast<double>(step_in_epoch_) / static_cast<double>(steps_per_epoch_)) /
                      static_cast<double>(parameters_.epochs);
  return parameters_.lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

void Trainer::run_epoch() {
  const std::vector<int> order = epoch_order(ids_, parameters_.seed, epoch_);
  while (step_in_epoch_ < steps_per_epoch_) {
    const auto start = Clock::now();
    const StepResult result = state_.step(data_.train, order, epoch_, step_in_epoch_, learning_rate(), context_.interrupted.load());
    if (!std::isfinite(result.figures.loss)) {
      throw Error(ExitCode::data, fmt::format("the loss of step {} is no longer a number; a smaller lr than {} helps", state_.updates, parameters_.lr));
    }
    ++step_in_epoch_;
    record_step(result, seconds_since(start));
    if (result.interrupted) {
      save();
      ranks_.barrier("saving before the interruption");
      throw Error(ExitCode::interrupted, fmt::format("interrupted at step {}; its state is saved", state_.updates));
    }
    if (ranks_.rank() == 0 && seconds_since(last_save_) >= parameters_.checkpoint_seconds) save();
  }
}

void Trainer::record_step(const StepResult& result, double seconds) {
  const Figures& f = result.figures;
  const double parts[] = {f.loss, f.tp, f.fp, f.fn, f.tn};
  for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += parts[i];
  images_seen_ += parameters_.global_batch;
  training_seconds_ += seconds;
  context_.events.emit("step", {{"step", state_.updates}, {"epoch", epoch_ + 1}, {"loss", f.loss},
                                {"images_per_second", static_cast<double>(parameters_.global_batch) / seconds}});
}

// "val_loss" is the validation row's loss, "loss" the train row's. Without validation, train stands in.
double Trainer::figure(const std::string& name, const Value& row) const {
  const bool validation = name.starts_with("val_");
  const std::string key = validation ? name.substr(4) : name;
  const Value& part = validation && !row.at("validation").is_null() ? row.at("validation") : row.at("train");
  return part.at(key);
}

void Trainer::end_epoch() {
  const auto steps = static_cast<double>(steps_per_epoch_);
  const Figures train{sums_[0] / steps, sums_[1] / steps, sums_[2] / steps, sums_[3] / steps, sums_[4] / steps};
  Value row = {{"epoch", epoch_ + 1}, {"lr", learning_rate()}, {"train", row_of(train)}, {"validation", nullptr}};
  if (!data_.validation.empty()) row["validation"] = row_of(state_.validate(data_.validation));
  ++epoch_;
  step_in_epoch_ = 0;
  std::fill(sums_.begin(), sums_.end(), 0.0);

  // Decided once, on rank 0, and told to all.
  uint8_t decision[2] = {best_.update(epoch_, figure(parameters_.monitor, row), epoch_ == parameters_.epochs),
                         stopping_.update(epoch_, figure(parameters_.stop_monitor, row))};
  ranks_.broadcast(distributed::buffer_of(decision, 2), 0, "best epoch and early stopping");
  if (decision[0]) best_weights_ = state_.weights;
  stopped_early_ = decision[1] && epoch_ < parameters_.epochs;

  const double seconds = seconds_since(epoch_start_);
  const double rate = static_cast<double>(steps_per_epoch_ * parameters_.global_batch) / seconds;
  const Value& shown = row.at("validation").is_null() ? row.at("train") : row.at("validation");
  spdlog::info("{}: epoch {}/{}: loss {:.4f}, validation loss {:.4f}, F1 {:.4f}{}, {:.1f} images/s", context_.stage, epoch_, parameters_.epochs,
               row.at("train").at("loss").get<double>(), shown.at("loss").get<double>(), shown.at("f1").get<double>(), decision[0] ? " (best)" : "", rate);
  if (stopped_early_) {
    spdlog::info("{}: stops early: {} has not improved by {} for {} epochs", context_.stage, parameters_.stop_monitor, parameters_.stop_min_delta, parameters_.stop_patience);
  }
  Value event = row;
  event["best"] = decision[0] != 0;
  context_.events.emit("epoch", std::move(event));
  epoch_times_.push_back({{"epoch", epoch_}, {"seconds", seconds}, {"images_per_second", rate}});
  epochs_.push_back(std::move(row));
  if (decision[0]) save();
}

void Trainer::save() {
  if (ranks_.rank() != 0) return;
  const auto start = Clock::now();
  const Checkpoint checkpoint{{{"epoch", epoch_}, {"step_in_epoch", step_in_epoch_}, {"updates", state_.updates}, {"sums", sums_},
                               {"epochs", epochs_}, {"best", best_.to_json()}, {"stopping", stopping_.to_json()},
                               {"stopped_early", stopped_early_}, {"resumed_at", resumed_at_}, {"epoch_times", epoch_times_},
                               {"ranks", ranks_.size()}, {"reproducible", reproducible_ == Reproducible::world ? "world" : "run"}},
                              state_.weights.parameters, state_.weights.statistics, state_.adam_mean, state_.adam_square,
                              best_weights_.parameters, best_weights_.statistics};
  save_bytes_ = checkpoints_.save(checkpoint, state_.updates);
  ++saves_;
  save_seconds_ += seconds_since(start);
  last_save_ = Clock::now();
  context_.events.emit("checkpoint", {{"step", state_.updates}, {"bytes", save_bytes_}});
}

// Rank 0 chooses the checkpoint; its step is what the others must find too (one file system holds the store).
void Trainer::resume() {
  std::optional<Checkpoint> found;
  int64_t step = -1;
  if (ranks_.rank() == 0) {
    found = checkpoints_.load_newest();
    if (found) step = found->state.at("updates");
  }
  ranks_.broadcast(distributed::buffer_of(&step, 1), 0, "the step to resume at");
  if (step < 0) return;
  if (ranks_.rank() != 0) found = checkpoints_.load_newest();
  distributed::Outcome mine;
  if (!found || found->state.at("updates").get<int64_t>() != step) {
    mine = {ExitCode::ranks, fmt::format("rank {} does not see the checkpoint of step {} in {}; the store must lie on a file system that all ranks share",
                                         ranks_.rank(), step, context_.progress.string())};
  }
  // Also keeps rank 0 from writing the next checkpoint while others still read this one.
  if (const auto all = distributed::agree(ranks_, mine, "reading the checkpoint"); all.rank >= 0) throw Error(all.outcome.code, all.outcome.message);
  const Value& state = found->state;
  epoch_ = state.at("epoch");
  step_in_epoch_ = state.at("step_in_epoch");
  state_.updates = step;
  sums_ = state.at("sums").get<std::vector<double>>();
  epochs_ = state.at("epochs");
  best_.restore(state.at("best"));
  stopping_.restore(state.at("stopping"));
  stopped_early_ = state.at("stopped_early");
  resumed_at_ = state.at("resumed_at");
  epoch_times_ = state.at("epoch_times");
  // In place: the replicas look at these buffers.
  std::copy(found->parameters.begin(), found->parameters.end(), state_.weights.parameters.begin());
  std::copy(found->statistics.begin(), found->statistics.end(), state_.weights.statistics.begin());
  state_.adam_mean = found->adam_mean;
  state_.adam_square = found->adam_square;
  best_weights_ = {found->best_parameters, found->best_statistics};
  resumed_at_.push_back(step);
  spdlog::info("{}: resuming at epoch {}, step {}", context_.stage, epoch_ + 1, step);
  const bool same = state.at("reproducible") == "world" && reproducible_ == Reproducible::world;
  if (!same && state.at("ranks") != ranks_.size()) {
    spdlog::warn("{}: the checkpoint was made by {} ranks, this run has {}: it goes on, but not bit for bit", context_.stage, state.at("ranks").get<int>(), ranks_.size());
  }
}

void Trainer::start_from(const Weights& weights) {
  std::copy(weights.parameters.begin(), weights.parameters.end(), state_.weights.parameters.begin());
  std::copy(weights.statistics.begin(), weights.statistics.end(), state_.weights.statistics.begin());
}

Weights Trainer::final_weights() const {
  return parameters_.final_weights == "best" && !best_weights_.parameters.empty() ? best_weights_ : state_.weights;
}

Value Trainer::curves() const {
  return {{"schema", 1},
          {"epochs", epochs_},
          {"train_figures", "running averages over the epoch"},
          {"monitor", parameters_.monitor},
          {"mode", larger(parameters_) ? "max" : "min"},
          {"final", parameters_.final_weights},
          {"best_epoch", best_.epoch()},
          {"best_value", best_.value() ? Value(*best_.value()) : Value(nullptr)},
          {"last_epoch", epoch_},
          {"planned_epochs", parameters_.epochs},
          {"stopped_early", stopped_early_},
          {"stop_monitor", parameters_.stop_monitor},
          {"patience", parameters_.stop_patience},
          {"min_delta", parameters_.stop_min_delta},
          {"global_batch", parameters_.global_batch},
          {"micro_batch", parameters_.micro_batch},
          {"steps_per_epoch", steps_per_epoch_}};
}

Value Trainer::telemetry() const {
  return {{"schema", 1},
          {"ranks", ranks_.size()},
          {"threads", context_.threads},
          {"reproducible", reproducible_ == Reproducible::world ? "world" : "run"},
          {"images_per_second", training_seconds_ > 0 ? static_cast<double>(images_seen_) / training_seconds_ : 0.0},
          {"epochs", epoch_times_},
          {"resumed_at_steps", resumed_at_},
          {"checkpoints", {{"count", saves_}, {"seconds", save_seconds_}, {"bytes", save_bytes_}}}};
}

}  // namespace penstock::stages
