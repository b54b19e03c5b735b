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
      state_(parameters, architecture_, data.grid, normaliser, context.ranks, context.threads, {reproducible_, parameters.overlap == "on"}),
      rules_(parameters), checkpoints_(context.progress) {
  for (const GridSample& sample : data.train) ids_.push_back(sample.id);
  const auto count = static_cast<int64_t>(data.train.size());
  steps_per_epoch_ = (count + parameters.global_batch - 1) / parameters.global_batch;
}

bool Trainer::train() {
  resume();
  while (epoch_ < parameters_.epochs && !stopped_early_ && !given_up_) {
    epoch_start_ = Clock::now();
    run_epoch();
    end_epoch();
  }
  save();
  return !given_up_;
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

// Rank 0 asks the sweep, where the run is part of one that gives runs up.
bool Trainer::goes_on(const Value& row, bool last) {
  if (context_.scores == nullptr) return true;
  std::map<std::string, double> figures;
  for (const auto& [name, value] : row.at("train").items()) {
    for (const std::string& figure : {name, "val_" + name}) figures[figure] = figure_of(figure, row);
  }
  return context_.scores->report(row.at("epoch"), figures, last);
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
  const TrainingRules::Decision mine = rules_.update(epoch_, row);
  const bool last = mine.stop || epoch_ == parameters_.epochs;
  uint8_t decision[3] = {mine.best, mine.stop, ranks_.rank() == 0 && !goes_on(row, last)};
  ranks_.broadcast(distributed::buffer_of(decision, 3), 0, "best epoch and early stopping");
  if (decision[0]) best_weights_ = state_.weights;
  stopped_early_ = decision[1] && epoch_ < parameters_.epochs;
  given_up_ = decision[2] != 0;

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
  const Checkpoint checkpoint{{{"sums", sums_}, {"resumed_at", resumed_at_}, {"epoch_times", epoch_times_}, {"ranks", ranks_.size()},
                               {"reproducible", reproducible_ == Reproducible::world ? "world" : "run"}},
                              state_.weights.parameters, state_.weights.statistics, state_.optimiser.first, state_.optimiser.second,
                              best_weights_.parameters, best_weights_.statistics};
  save_bytes_ = checkpoints_.save(checkpoint, {state_.updates, epoch_, step_in_epoch_, rules_.best().epoch(), epochs_, {}});
  ++saves_;
  save_seconds_ += seconds_since(start);
  last_save_ = Clock::now();
  context_.events.emit("checkpoint", {{"step", state_.updates}, {"bytes", save_bytes_}});
}

namespace {

// What a rank has found to go on from.
struct Found {
  std::filesystem::path folder;
  CheckpointManifest manifest;
  Checkpoint checkpoint;
};

std::optional<Found> load_first(const std::vector<Adoptable>& candidates) {
  for (const Adoptable& one : candidates) {
    if (auto checkpoint = load_checkpoint(one.folder, one.manifest)) return Found{one.folder, one.manifest, std::move(*checkpoint)};
  }
  return std::nullopt;
}

std::vector<Adoptable> in_folder(const std::filesystem::path& folder) {
  std::vector<Adoptable> all;
  for (CheckpointManifest& manifest : read_manifests(folder)) all.push_back({folder, std::move(manifest)});
  return all;
}

}  // namespace

// Rank 0 chooses the checkpoint, and the others read the same one (one file system holds the store).
void Trainer::resume() {
  std::optional<Found> found;
  if (ranks_.rank() == 0) {
    found = load_first(in_folder(context_.progress));
    std::string refusal;
    if (!found) found = load_first(adoptable_checkpoints(parameters_, context_.relatives, &refusal));
  }
  const std::string chosen = distributed::broadcast_text(
      ranks_, found ? Value{{"folder", found->folder.string()}, {"step", found->manifest.step}}.dump() : "", 0, "the checkpoint to resume from");
  if (chosen.empty()) return;
  const Value place = Value::parse(chosen);
  if (ranks_.rank() != 0) {
    auto candidates = in_folder(place.at("folder").get<std::string>());
    std::erase_if(candidates, [&](const Adoptable& one) { return one.manifest.step != place.at("step"); });
    found = load_first(candidates);
  }
  distributed::Outcome mine;
  if (!found) {
    mine = {ExitCode::ranks, fmt::format("rank {} does not see the checkpoint of step {} in {}; the store must lie on a file system that all ranks share",
                                         ranks_.rank(), place.at("step").get<int64_t>(), place.at("folder").get<std::string>())};
  }
  // Also keeps rank 0 from writing the next checkpoint while others still read this one.
  if (const auto all = distributed::agree(ranks_, mine, "reading the checkpoint"); all.rank >= 0) throw Error(all.outcome.code, all.outcome.message);
  restore(found->checkpoint, found->manifest);
  spdlog::info("{}: {} epoch {}, step {}", context_.stage, found->folder == context_.progress ? "resuming at" : "going on from a shorter run at", epoch_ + 1, state_.updates);
}

void Trainer::restore(const Checkpoint& checkpoint, const CheckpointManifest& manifest) {
  const Value& state = checkpoint.state;
  epoch_ = manifest.epoch;
  step_in_epoch_ = manifest.step_in_epoch;
  state_.updates = manifest.step;
  epochs_ = manifest.epochs;
  sums_ = state.at("sums").get<std::vector<double>>();
  resumed_at_ = state.at("resumed_at");
  epoch_times_ = state.at("epoch_times");
  // In place: the replicas look at these buffers.
  std::copy(checkpoint.parameters.begin(), checkpoint.parameters.end(), state_.weights.parameters.begin());
  std::copy(checkpoint.statistics.begin(), checkpoint.statistics.end(), state_.weights.statistics.begin());
  state_.optimiser.first = checkpoint.first_moment;
  state_.optimiser.second = checkpoint.second_moment;
  best_weights_ = {checkpoint.best_parameters, checkpoint.best_statistics};
  resumed_at_.push_back(manifest.step);

  // The rules see what they saw, and the sweep may have seen it or not.
  bool stopped_before = false;
  stopped_early_ = rules_.replay(epochs_, &stopped_before).stop && epoch_ < parameters_.epochs;
  uint8_t gives_up = 0;
  if (ranks_.rank() == 0) {
    const auto last = [&](const Value& row) { return row.at("epoch") == epoch_ && (stopped_early_ || epoch_ == parameters_.epochs); };
    for (const Value& row : epochs_) gives_up = !goes_on(row, last(row)) || gives_up;
  }
  ranks_.broadcast(distributed::buffer_of(&gives_up, 1), 0, "early stopping of the sweep");
  given_up_ = gives_up != 0;

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
          {"mode", rules_.larger() ? "max" : "min"},
          {"final", parameters_.final_weights},
          {"best_epoch", rules_.best().epoch()},
          {"best_value", rules_.best().value() ? Value(*rules_.best().value()) : Value(nullptr)},
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
