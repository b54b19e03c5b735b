#include "stages/compute/training/trainer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "distributed/collectives.h"
#include "pipeline/events.h"
#include "stages/compute/training/batches.h"
#include "stages/compute/training/make_step.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr int64_t steps_between_checks = 100;  // of the ranks' weights against each other
constexpr int most_faults = 10;                // steps in a row without a number
constexpr int overlap_tries = 5;               // steps with, and as many without

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
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

Trainer::Trainer(const TrainParameters& parameters, const TrainData& data, const Normaliser& normaliser,
                 pipeline::StageContext& context)
    : parameters_(parameters),
      data_(data),
      context_(context),
      ranks_(context.ranks),
      architecture_{data.grid.channels, parameters.base_channels, parameters.depth, parameters.norm,
                    parameters.dropout},
      step_(make_step(parameters, architecture_, data.grid, normaliser, context.ranks, context.threads,
                      {reproducible_of(parameters), parameters.overlap == "on"})),
      rules_(parameters),
      fingerprint_(fingerprint(ranks_.size(), context.threads, name_of(step_->reproducible()), step_->device_name())) {
  if (ranks_.rank() == 0) writer_.emplace(context.progress, static_cast<size_t>(parameters.keep));
  for (const GridSample& sample : data.train) ids_.push_back(sample.id);
  steps_per_epoch_ = steps_per_epoch(static_cast<int64_t>(data.train.size()), parameters.global_batch);
}

bool Trainer::train() {
  if (auto found = find(context_.relatives)) {
    restore(*found);
    spdlog::info("{}: {} epoch {}, step {}", context_.stage,
                 found->folder == context_.progress ? "resuming at" : "going on from a shorter run at", epoch_ + 1,
                 position());
  }
  if (context_.watch.has_end()) require_time();
  while (!is_over()) {
    epoch_start_ = Clock::now();
    if (run_epoch()) end_epoch();
  }
  save();
  finish_saving();
  check_agreement();
  return !given_up_;
}

std::string Trainer::replay(int64_t until) {
  const auto found = find({});
  if (!found) throw Error(ExitCode::data, context_.progress.string() + ": there is no checkpoint to replay from");
  writer_.reset();
  restore(*found);
  until_ = until;
  while (!is_over()) {
    if (run_epoch()) end_epoch();
  }
  check_agreement();
  const Weights reached = step_->current_weights();
  return digest_of_weights(reached.parameters, reached.statistics).hex();
}

std::optional<FoundCheckpoint> Trainer::find(const std::vector<std::filesystem::path>& relatives) const {
  const auto doing = context_.watch.loading("the newest checkpoint of " + context_.progress.string());
  return find_checkpoint(ranks_, context_.progress, relatives, parameters_);
}

// Cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts; by step, so that epochs have no edges.
double Trainer::learning_rate() const {
  if (parameters_.schedule == "constant") return parameters_.lr;
  const double done =
      (static_cast<double>(epoch_) + static_cast<double>(step_in_epoch_) / static_cast<double>(steps_per_epoch_)) /
      static_cast<double>(parameters_.epochs);
  return parameters_.lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

// False: the epoch is not over. The state is an earlier one after rolling back, or a replay is at its end.
bool Trainer::run_epoch() {
  const std::vector<int> order = epoch_order(ids_, parameters_.seed, epoch_);
  while (step_in_epoch_ < steps_per_epoch_) {
    if (position() == until_) return false;
    if (passed_over_.count(position())) {
      ++step_in_epoch_;
      continue;
    }
    const auto start = Clock::now();
    choose_overlap();
    const StepResult result = [&] {
      const auto doing = context_.watch.step(position() + 1);
      return step_->step(data_.train, order, epoch_, step_in_epoch_, learning_rate(), context_.interrupted.load());
    }();
    const double seconds = seconds_since(start);
    if (!result.fault.empty()) {
      if (!survive(result.fault)) return false;
      continue;
    }
    ++step_in_epoch_;
    faults_ = 0;
    record_step(result, seconds);
    if (result.interrupted) {
      save();
      finish_saving();
      ranks_.barrier("saving before the interruption");
      throw Error(ExitCode::interrupted, fmt::format("interrupted at step {}; its state is saved", position()));
    }
    advise_on_stopping();
    if (position() % steps_between_checks == 0) check_agreement();
    if (writer_ && seconds_since(last_save_) >= checkpoint_interval(parameters_, writer_->cost())) save();
  }
  return position() != until_;
}

// A step whose loss or gradient is no number, the same on every rank. False: rolled back.
bool Trainer::survive(const std::string& fault) {
  const std::string what = fmt::format("at step {} {} is no number", position() + 1, fault);
  if (parameters_.on_nan == "stop") {
    throw Error(ExitCode::data, fmt::format("{}; a smaller lr than {}, clip_norm, or on_nan = \"skip\" may help", what,
                                            parameters_.lr));
  }
  if (++faults_ > most_faults)
    throw Error(ExitCode::data, fmt::format("{}, and so it was {} times in a row", what, most_faults));
  passed_over_.insert(position());
  context_.events.emit("fault", {{"step", position() + 1}, {"what", fault}, {"policy", parameters_.on_nan}});
  if (parameters_.on_nan == "skip") {
    spdlog::warn("{}: {}; the step is passed over", context_.stage, what);
    ++step_in_epoch_;
    return true;
  }
  finish_saving();
  const std::set<int64_t> passed_over = passed_over_;
  const auto found = find({});
  if (!found) throw Error(ExitCode::data, what + ", and there is no checkpoint yet to roll back to");
  restore(*found);
  passed_over_ = passed_over;
  spdlog::warn("{}: {}; rolled back to step {}, and the step will be passed over", context_.stage, what, position());
  return false;
}

// With "auto", the first steps go by turns with and without; the bits are the same either way.
void Trainer::choose_overlap() {
  if (parameters_.overlap != "auto" || !step_->may_choose_overlap() || ranks_.size() == 1 || tried_ > 2 * overlap_tries)
    return;
  if (tried_ == 2 * overlap_tries) {
    uint8_t better = median_of(tried_seconds_[1]) < median_of(tried_seconds_[0]);
    ranks_.broadcast(distributed::buffer_of(&better, 1), 0, "whether overlap pays");
    step_->set_overlap(better != 0);
    overlaps_ = better != 0;
    spdlog::debug("{}: reducing gradients {}", context_.stage, better ? "while backward goes on" : "after backward");
  } else {
    step_->set_overlap(tried_ % 2 == 1);
  }
  ++tried_;
}

// Every rank must hold the same weights: a difference is a fault of memory, or of this program.
void Trainer::check_agreement() const {
  const Weights reached = step_->current_weights();
  const uint64_t mine = digest_of_weights(reached.parameters, reached.statistics).leading_bits();
  std::vector<uint64_t> all(ranks_.size());
  uint64_t sent = mine;
  ranks_.all_gather(distributed::buffer_of(&sent, 1), distributed::buffer_of(all.data(), all.size()),
                    "comparing weights");
  for (size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all[0]) continue;
    throw Error(ExitCode::ranks, fmt::format("after step {} the weights of rank {} differ from those of rank 0 "
                                             "({:016x}, {:016x}); is a memory or processor faulty?",
                                             position(), rank, all[rank], all[0]));
  }
}

void Trainer::record_step(const StepResult& result, double seconds) {
  const Figures& f = result.figures;
  const double parts[] = {f.loss, f.tp, f.fp, f.fn, f.tn, 1};
  for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += parts[i];
  images_seen_ += parameters_.global_batch;
  training_seconds_ += seconds;
  if (tried_ >= 1 && tried_ <= 2 * overlap_tries) tried_seconds_[(tried_ - 1) % 2].push_back(seconds);
  context_.events.emit("step", {{"step", position()},
                                {"epoch", epoch_ + 1},
                                {"loss", f.loss},
                                {"gradient_norm", result.gradient_norm},
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
  const double steps = std::max(1.0, sums_[5]);  // those that were not passed over
  const Figures train{sums_[0] / steps, sums_[1] / steps, sums_[2] / steps, sums_[3] / steps, sums_[4] / steps};
  Value row = {{"epoch", epoch_ + 1}, {"lr", learning_rate()}, {"train", row_of(train)}, {"validation", nullptr}};
  if (!data_.validation.empty()) {
    const auto doing = context_.watch.validating();
    row["validation"] = row_of(step_->validate(data_.validation));
  }
  ++epoch_;
  step_in_epoch_ = 0;
  std::fill(sums_.begin(), sums_.end(), 0.0);

  // Decided once, on rank 0, and told to all.
  const TrainingRules::Decision mine = rules_.update(epoch_, row);
  const bool last = mine.stop || epoch_ == parameters_.epochs;
  uint8_t decision[3] = {mine.best, mine.stop, ranks_.rank() == 0 && !goes_on(row, last)};
  ranks_.broadcast(distributed::buffer_of(decision, 3), 0, "best epoch and early stopping");
  if (decision[0]) best_weights_ = step_->current_weights();
  stopped_early_ = decision[1] && epoch_ < parameters_.epochs;
  given_up_ = decision[2] != 0;

  const double seconds = seconds_since(epoch_start_);
  const double rate = static_cast<double>(steps_per_epoch_ * parameters_.global_batch) / seconds;
  const Value& shown = row.at("validation").is_null() ? row.at("train") : row.at("validation");
  spdlog::info("{}: epoch {}/{}: loss {:.4f}, validation loss {:.4f}, F1 {:.4f}{}, {:.1f} images/s", context_.stage,
               epoch_, parameters_.epochs, row.at("train").at("loss").get<double>(), shown.at("loss").get<double>(),
               shown.at("f1").get<double>(), decision[0] ? " (best)" : "", rate);
  if (stopped_early_) {
    spdlog::info("{}: stops early: {} has not improved by {} for {} epochs", context_.stage, parameters_.stop_monitor,
                 parameters_.stop_min_delta, parameters_.stop_patience);
  }
  Value event = row;
  event["best"] = decision[0] != 0;
  context_.events.emit("epoch", std::move(event));
  epoch_times_.push_back({{"epoch", epoch_}, {"seconds", seconds}, {"images_per_second", rate}});
  epochs_.push_back(std::move(row));
  // The best epoch's weights are worth an early checkpoint, as far as that costs little.
  if (decision[0] && writer_ && seconds_since(last_save_) >= checkpoint_interval(parameters_, writer_->cost()) / 2)
    save();
}

// Rank 0: a snapshot, which a thread writes while training goes on.
void Trainer::save() {
  if (!writer_) return;
  const auto since = Clock::now();
  const auto doing = context_.watch.saving(fmt::format("step {} in {}", position(), context_.progress.string()));
  StepState state = step_->state();
  Checkpoint checkpoint{{{"sums", sums_},
                         {"updates", state.updates},
                         {"passed_over", passed_over_},
                         {"resumed_at", resumed_at_},
                         {"epoch_times", epoch_times_},
                         {"fingerprint", fingerprint_}},
                        std::move(state.weights.parameters),
                        std::move(state.weights.statistics),
                        std::move(state.first),
                        std::move(state.second),
                        best_weights_.parameters,
                        best_weights_.statistics};
  writer_->save(std::move(checkpoint), {position(), epoch_, step_in_epoch_, rules_.best().epoch(), epochs_, {}, {}},
                since);
  last_save_ = Clock::now();
  context_.events.emit("checkpoint", {{"step", position()}});
}

// Saves once to see how long it takes here: a training that could not be saved in time does not begin.
void Trainer::require_time() {
  const auto start = Clock::now();
  save();
  finish_saving();
  const double seconds = seconds_since(start);
  uint8_t fits = context_.watch.seconds_left() > context_.watch.seconds_to_stop();
  ranks_.broadcast(distributed::buffer_of(&fits, 1), 0, "whether the time is enough");
  if (fits) return;
  throw Error(ExitCode::environment,
              fmt::format("saving takes {:.1f} s, and the {:.1f} s that are left leave no time to train and to save in "
                          "time; give it more (--time-budget, the job's limit)",
                          seconds, std::max(0.0, context_.watch.seconds_left())));
}

// Once, when it is known how long saving takes here, unless the job knows its end anyway.
void Trainer::advise_on_stopping() {
  if (!writer_ || advised_ || context_.watch.has_end()) return;
  const CheckpointCost cost = writer_->cost();
  advised_ = cost.count > 0;
  const auto steps = static_cast<double>(images_seen_ / parameters_.global_batch);
  if (const std::string advice = stopping_advice(ranks_.size(), training_seconds_ / steps, cost); !advice.empty())
    spdlog::info("{}: {}", context_.stage, advice);
}

// Whatever was begun is on disk after it.
void Trainer::finish_saving() {
  if (!writer_) return;
  const auto doing = context_.watch.saving(fmt::format("the last checkpoint in {}", context_.progress.string()));
  writer_->finish();
}

void Trainer::restore(const FoundCheckpoint& found) {
  const auto& [folder, manifest, checkpoint] = found;
  const Value& state = checkpoint.state;
  epoch_ = manifest.epoch;
  step_in_epoch_ = manifest.step_in_epoch;
  epochs_ = manifest.epochs;
  sums_ = state.at("sums").get<std::vector<double>>();
  passed_over_ = state.at("passed_over").get<std::set<int64_t>>();
  resumed_at_ = state.at("resumed_at");
  epoch_times_ = state.at("epoch_times");
  step_->load({{checkpoint.parameters, checkpoint.statistics},
               checkpoint.first_moment,
               checkpoint.second_moment,
               state.at("updates")});
  best_weights_ = {checkpoint.best_parameters, checkpoint.best_statistics};
  resumed_at_.push_back(manifest.step);

  // The rules see what they saw, and the sweep may have seen it or not.
  bool stopped_before = false;
  rules_ = TrainingRules(parameters_);
  stopped_early_ = rules_.replay(epochs_, &stopped_before).stop && epoch_ < parameters_.epochs;
  uint8_t gives_up = 0;
  if (ranks_.rank() == 0) {
    const auto last = [&](const Value& row) {
      return row.at("epoch") == epoch_ && (stopped_early_ || epoch_ == parameters_.epochs);
    };
    for (const Value& row : epochs_) gives_up = !goes_on(row, last(row)) || gives_up;
  }
  ranks_.broadcast(distributed::buffer_of(&gives_up, 1), 0, "early stopping of the sweep");
  given_up_ = gives_up != 0;

  const std::string different = differences_of(state.at("fingerprint"), fingerprint_);
  if (!different.empty())
    spdlog::warn("{}: the checkpoint was made with other circumstances ({}): it goes on, but perhaps not bit for bit",
                 context_.stage, different);
}

void Trainer::start_from(const Weights& weights) { step_->load_weights(weights); }

Weights Trainer::final_weights() const {
  return parameters_.final_weights == "best" && !best_weights_.parameters.empty() ? best_weights_
                                                                                  : step_->current_weights();
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
  const CheckpointCost cost = writer_ ? writer_->cost() : CheckpointCost();
  return {{"schema", 1},
          {"ranks", ranks_.size()},
          {"threads", context_.threads},
          {"device", step_->device_name()},
          {"reproducible", name_of(step_->reproducible())},
          {"images_per_second", training_seconds_ > 0 ? static_cast<double>(images_seen_) / training_seconds_ : 0.0},
          {"epochs", epoch_times_},
          {"resumed_at_steps", resumed_at_},
          {"overlap", overlaps_},
          {"passed_over", passed_over_},
          {"checkpoints",
           {{"count", cost.count},
            {"blocked_seconds", cost.blocked_seconds},
            {"writer_seconds", cost.writer_seconds},
            {"write_seconds", cost.write_seconds},
            {"bytes", cost.bytes}}}};
}

}  // namespace penstock::stages
