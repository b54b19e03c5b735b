#include "stages/compute/training/trainer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>

#include "distributed/check.h"
#include "distributed/collectives.h"
#include "pipeline/events.h"
#include "stages/compute/step/batches.h"
#include "stages/compute/step/make_step.h"
#include "stages/compute/training/outcome.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr int64_t steps_between_checks = 100;  // of the ranks' weights against each other
constexpr int most_faults = 10;                // steps in a row that are NaN or infinite

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
      architecture_(architecture_of(parameters, data.input.channels)),
      schedule_(schedule_rule(parameters.schedule)),
      step_(make_step(parameters, architecture_, data.input, normaliser, context.ranks, context.threads,
                      {reproducible_of(parameters), parameters.overlap == "on"})),
      rules_(parameters),
      fingerprint_(fingerprint(ranks_.size(), context.threads, name_of(step_->reproducible()), step_->device_name())),
      saver_(parameters_, context),
      overlap_trial_(parameters.overlap, *step_, ranks_),
      reading_(parameters_, data.train, data.validation, data.input, {ranks_.rank(), ranks_.size()}, data.cache.get()) {
  for (const Crop& crop : crops_of(data.train, data.input)) {
    ids_.push_back(data.train[static_cast<size_t>(crop.sample)].id);
    numbers_.push_back(crop.number);
  }
  steps_per_epoch_ = steps_per_epoch(static_cast<int64_t>(ids_.size()), parameters.global_batch);
}

bool Trainer::train() {
  if (auto found = find(context_.relatives)) {
    restore(*found);
    spdlog::info("{}: {} epoch {}, step {}", context_.stage,
                 found->folder == context_.progress ? "resuming at" : "continuing from a shorter run at", epoch_ + 1,
                 position());
  }
  if (ranks_.rank() == 0) say_what_has_no_effect(parameters_, context_.stage, !data_.validation.empty());
  if (context_.watch.has_end()) saver_.require_time([this] { save(); });
  while (!is_over()) {
    epoch_start_ = Clock::now();
    if (run_epoch()) end_epoch();
  }
  save();
  saver_.finish();
  check_agreement();
  if (!given_up_) require_usable(epochs_, final_weights(), parameters_);
  return !given_up_;
}

std::string Trainer::replay(int64_t until) {
  const auto found = find({});
  if (!found) throw Error(ExitCode::data, context_.progress.string() + ": there is no checkpoint to replay from");
  saver_.stop_saving();
  restore(*found);
  until_ = until;
  while (!is_over()) {
    if (run_epoch()) end_epoch();
  }
  check_agreement();
  return digest_of_state().hex();
}

std::optional<FoundCheckpoint> Trainer::find(const std::vector<std::filesystem::path>& relatives) const {
  const auto doing = context_.watch.loading("the newest checkpoint of " + context_.progress.string());
  return find_checkpoint(ranks_, context_.progress, relatives, parameters_);
}

// ---- steps ----

double Trainer::learning_rate() const {
  const double done =
      (static_cast<double>(epoch_) + static_cast<double>(step_in_epoch_) / static_cast<double>(steps_per_epoch_)) /
      static_cast<double>(parameters_.epochs);
  return warm_up_factor(parameters_.warm_up, position(), steps_per_epoch_) *
         schedule_.learning_rate(parameters_.lr, done) * rules_.rate_factor();
}

std::vector<int> Trainer::order_of(int64_t epoch) const { return epoch_order(ids_, parameters_.seed, epoch, numbers_); }

// False: the epoch is not over. The state is an earlier one after rolling back, or a replay is at its end.
bool Trainer::run_epoch() {
  const std::vector<int> order = order_of(epoch_);
  if (reading_.is_active()) {
    const bool follows = epoch_ + 1 < parameters_.epochs;
    reading_.begin_epoch(step_in_epoch_, order, follows ? order_of(epoch_ + 1) : std::vector<int>());
  }
  while (step_in_epoch_ < steps_per_epoch_) {
    if (position() == until_) return false;
    if (passed_over_.count(position())) {
      ++step_in_epoch_;
      continue;
    }
    reading_.before_step(step_in_epoch_);
    const auto start = Clock::now();
    overlap_trial_.before_step();
    const StepResult result = run_step(order);
    const double seconds = seconds_since(start);
    if (!result.fault.empty()) {
      if (!survive(result.fault)) return false;
      continue;
    }
    ++step_in_epoch_;
    faults_ = 0;
    record_step(result, seconds);
    if (result.interrupted) stop_interrupted();
    saver_.advise_on_stopping(telemetry_.mean_step_seconds());
    if (position() % steps_between_checks == 0) check_agreement();
    if (saver_.is_due()) save();
  }
  return position() != until_;
}

StepResult Trainer::run_step(const std::vector<int>& order) {
  const auto doing = context_.watch.step(position() + 1);
  return step_->step(data_.train, order, epoch_, step_in_epoch_, learning_rate(), context_.interrupted.load());
}

void Trainer::record_step(const StepResult& result, double seconds) {
  sums_ += result.figures;
  telemetry_.add_step(parameters_.global_batch, seconds, reading_.take_wait(context_.threads));
  overlap_trial_.record(seconds);
  context_.events.emit("step", {{"step", position()},
                                {"epoch", epoch_ + 1},
                                {"loss", result.figures.loss},
                                {"gradient_norm", result.gradient_norm},
                                {"images_per_second", static_cast<double>(parameters_.global_batch) / seconds}});
}

void Trainer::stop_interrupted() {
  save();
  saver_.finish();
  ranks_.barrier("saving before the interruption");
  throw Error(ExitCode::interrupted, fmt::format("interrupted at step {}; its state is saved", position()));
}

// A step whose loss or gradient is NaN or infinite, the same on every rank. False: rolled back.
bool Trainer::survive(const std::string& fault) {
  const std::string what = fmt::format("at step {} {} is NaN or infinite", position() + 1, fault);
  if (parameters_.on_nan == "stop") {
    throw Error(ExitCode::data, fmt::format("{}; a smaller lr than {}, clip_norm, or on_nan = \"skip\" may help", what,
                                            parameters_.lr));
  }
  if (++faults_ > most_faults)
    throw Error(ExitCode::data, fmt::format("{}, after {} such steps in a row", what, most_faults));
  passed_over_.insert(position());
  context_.events.emit("fault", {{"step", position() + 1}, {"what", fault}, {"policy", parameters_.on_nan}});
  if (parameters_.on_nan == "skip") {
    spdlog::warn("{}: {}; the step is skipped", context_.stage, what);
    ++step_in_epoch_;
    return true;
  }
  PENSTOCK_CHECK(parameters_.on_nan == "roll_back", "on_nan is stop, skip or roll_back");
  saver_.finish();
  const std::set<int64_t> passed_over = passed_over_;
  const auto found = find({});
  if (!found) throw Error(ExitCode::data, what + ", and there is no checkpoint yet to roll back to");
  restore(*found);
  passed_over_ = passed_over;
  spdlog::warn("{}: {}; rolled back to step {}, and the step will be skipped", context_.stage, what, position());
  return false;
}

pipeline::Digest Trainer::digest_of_state() const {
  const Weights reached = step_->current_weights();
  if (parameters_.ema == 0) return digest_of_weights(reached.parameters, reached.statistics);
  const Weights averaged = step_->measured_weights();
  return digest_of_weights(reached.parameters, reached.statistics, averaged.parameters, averaged.statistics);
}

// Every rank must hold the same weights: a difference is a fault of memory, or of this program.
void Trainer::check_agreement() const {
  const uint64_t mine = digest_of_state().leading_bits();
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

// ---- epochs ----

void Trainer::end_epoch() {
  Value row = {{"epoch", epoch_ + 1}, {"lr", learning_rate()}, {"train", row_of(sums_)}, {"validation", nullptr}};
  if (!data_.validation.empty()) {
    const auto doing = context_.watch.validating();
    reading_.before_validation();
    row["validation"] = row_of(step_->validate(data_.validation));
    reading_.take_wait(context_.threads);  // not of a step
  }
  ++epoch_;
  step_in_epoch_ = 0;
  sums_ = {};
  const double rate_factor_before = rules_.rate_factor();
  const EpochDecision decision = decide(row);
  if (decision.best) best_weights_ = step_->measured_weights();
  stopped_early_ = decision.stop && epoch_ < parameters_.epochs;
  given_up_ = decision.give_up;
  report_epoch(row, decision.best, rate_factor_before);
  epochs_.push_back(std::move(row));
  // The best epoch's weights are worth an early checkpoint, as far as that costs little.
  if (decision.best && saver_.is_half_due()) save();
}

// Collective. Decided once, on rank 0, so that all ranks do the same.
Trainer::EpochDecision Trainer::decide(const Value& row) {
  const TrainingRules::Decision mine = rules_.update(epoch_, row);
  const bool last = mine.stop || epoch_ == parameters_.epochs;
  uint8_t decision[3] = {mine.best, mine.stop, ranks_.rank() == 0 && !sweep_continues(row, last)};
  ranks_.broadcast(distributed::buffer_of(decision, 3), 0, "best epoch and early stopping");
  return {decision[0] != 0, decision[1] != 0, decision[2] != 0};
}

void Trainer::report_epoch(const Value& row, bool best, double rate_factor_before) {
  const double seconds = seconds_since(epoch_start_);
  const double rate = static_cast<double>(steps_per_epoch_ * parameters_.global_batch) / seconds;
  const std::string waited =
      reading_.is_active() ? fmt::format(", waited {:.2f} ms a step for samples", 1e3 * telemetry_.epoch_wait()) : "";
  spdlog::info("{}: epoch {}/{}: {}{}, {:.1f} images/s{}", context_.stage, epoch_, parameters_.epochs,
               text_of_epoch(row), best ? " (best)" : "", rate, waited);
  if (rules_.rate_factor() < rate_factor_before) {
    spdlog::info("{}: {} has not improved for {} epochs: the learning rate is multiplied with {:.3g} from here on",
                 context_.stage, parameters_.plateau_monitor, parameters_.plateau_patience, rules_.rate_factor());
  }
  if (stopped_early_) {
    spdlog::info("{}: stops early: {} has not improved by {} for {} epochs", context_.stage, parameters_.stop_monitor,
                 parameters_.stop_min_delta, parameters_.stop_patience);
  }
  Value event = row;
  event["best"] = best;
  context_.events.emit("epoch", std::move(event));
  telemetry_.add_epoch(epoch_, seconds, rate);
}

// Rank 0 asks the sweep, where the run is part of one that gives runs up.
bool Trainer::sweep_continues(const Value& row, bool last) {
  if (context_.scores == nullptr) return true;
  std::map<std::string, double> figures;
  for (const auto& [name, value] : row.at("train").items()) {
    for (const std::string& figure : {name, "val_" + name}) figures[figure] = figure_of(figure, row);
  }
  return context_.scores->report(row.at("epoch"), figures, last);
}

// ---- checkpoints ----

void Trainer::save() {
  saver_.save([this] { return snapshot(); }, position());
}

std::pair<Checkpoint, CheckpointManifest> Trainer::snapshot() const {
  StepState state = step_->state();
  Value carried = {{"sums", to_json(sums_)},
                   {"updates", state.updates},
                   {"passed_over", passed_over_},
                   {"fingerprint", fingerprint_}};
  telemetry_.write_to(carried);
  Checkpoint checkpoint{std::move(carried),
                        std::move(state.weights.parameters),
                        std::move(state.weights.statistics),
                        std::move(state.first),
                        std::move(state.second),
                        best_weights_.parameters,
                        best_weights_.statistics,
                        std::move(state.averaged.parameters),
                        std::move(state.averaged.statistics)};
  CheckpointManifest manifest{position(), epoch_, step_in_epoch_, rules_.best().epoch(), epochs_, {}, {}};
  return {std::move(checkpoint), std::move(manifest)};  // neither is copied
}

void Trainer::restore(const FoundCheckpoint& found) {
  const auto& [folder, manifest, checkpoint] = found;
  const Value& state = checkpoint.state;
  epoch_ = manifest.epoch;
  step_in_epoch_ = manifest.step_in_epoch;
  epochs_ = manifest.epochs;
  sums_ = epoch_sums_from_json(state.at("sums"));
  passed_over_ = state.at("passed_over").get<std::set<int64_t>>();
  telemetry_.restore(state);
  telemetry_.add_resume(manifest.step);
  step_->load({{checkpoint.parameters, checkpoint.statistics},
               checkpoint.first_moment,
               checkpoint.second_moment,
               state.at("updates"),
               {checkpoint.averaged_parameters, checkpoint.averaged_statistics}});
  best_weights_ = {checkpoint.best_parameters, checkpoint.best_statistics};
  replay_decisions();
  const std::string different = differences_of(state.at("fingerprint"), fingerprint_);
  if (!different.empty()) {
    spdlog::warn("{}: the checkpoint was made under other conditions ({}): training continues, perhaps not bit for bit",
                 context_.stage, different);
  }
}

// Collective. The rules see the finished epochs again, and so does the sweep, which may have seen them or not.
void Trainer::replay_decisions() {
  bool stopped_before = false;
  rules_ = TrainingRules(parameters_);
  stopped_early_ = rules_.replay(epochs_, &stopped_before).stop && epoch_ < parameters_.epochs;
  uint8_t gives_up = 0;
  if (ranks_.rank() == 0) {
    const auto last = [&](const Value& row) {
      return row.at("epoch") == epoch_ && (stopped_early_ || epoch_ == parameters_.epochs);
    };
    for (const Value& row : epochs_) gives_up = !sweep_continues(row, last(row)) || gives_up;
  }
  ranks_.broadcast(distributed::buffer_of(&gives_up, 1), 0, "early stopping of the sweep");
  given_up_ = gives_up != 0;
}

void Trainer::start_from(const Weights& weights) { step_->load_weights(weights); }

// ---- results ----

bool Trainer::publishes_best() const {
  return parameters_.final_weights == "best" && !best_weights_.parameters.empty();
}

Weights Trainer::final_weights() const { return publishes_best() ? best_weights_ : step_->measured_weights(); }

Value Trainer::curves() const {
  Value curves = {{"schema", 1},
                  {"epochs", epochs_},
                  {"train_figures", "running averages over the epoch"},
                  {"monitor", parameters_.monitor},
                  {"mode", rules_.larger() ? "max" : "min"},
                  {"final", parameters_.final_weights},
                  {"published", publishes_best() ? "best" : "last"},
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
  if (parameters_.ema > 0) curves["ema"] = parameters_.ema;
  return curves;
}

Value Trainer::telemetry() const {
  const CheckpointCost cost = saver_.cost();
  Value json = telemetry_.to_json();
  json["schema"] = 1;
  json["ranks"] = ranks_.size();
  json["threads"] = context_.threads;
  json["device"] = step_->device_name();
  json["precision"] = parameters_.precision;
  json["reproducible"] = name_of(step_->reproducible());
  json["overlap"] = step_->overlaps();
  json["passed_over"] = passed_over_;
  if (data_.cache != nullptr) {
    const SampleCache::Figures cache = data_.cache->figures();
    json["cache"] = {{"limit_bytes", parameters_.cache_limit().value()},
                     {"most_bytes", cache.most_bytes},
                     {"read", cache.read},
                     {"found", cache.found},
                     {"waited", cache.waited}};
  }
  json["checkpoints"] = {{"count", cost.count},
                         {"blocked_seconds", cost.blocked_seconds},
                         {"writer_seconds", cost.writer_seconds},
                         {"write_seconds", cost.write_seconds},
                         {"bytes", cost.bytes}};
  return json;
}

}  // namespace penstock::stages
