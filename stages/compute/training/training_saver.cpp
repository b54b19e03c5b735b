#include "stages/compute/training/training_saver.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "pipeline/events.h"

namespace penstock::stages {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TrainingSaver::TrainingSaver(const TrainParameters& parameters, pipeline::StageContext& context)
    : parameters_(parameters), context_(context) {
  if (context.ranks.rank() == 0) writer_.emplace(context.progress, static_cast<size_t>(parameters.keep));
}

double TrainingSaver::seconds_since_last() const { return seconds_since(last_); }

bool TrainingSaver::is_due() const { return writer_ && seconds_since_last() >= interval(); }

bool TrainingSaver::is_half_due() const { return writer_ && seconds_since_last() >= interval() / 2; }

void TrainingSaver::save(const std::function<std::pair<Checkpoint, CheckpointManifest>()>& state, int64_t step) {
  if (!writer_) return;
  const auto since = Clock::now();
  const auto doing = context_.watch.saving(fmt::format("step {} in {}", step, context_.progress.string()));
  auto [checkpoint, manifest] = state();
  writer_->save(std::move(checkpoint), std::move(manifest), since);
  last_ = Clock::now();
  context_.events.emit("checkpoint", {{"step", step}});
}

void TrainingSaver::finish() {
  if (!writer_) return;
  const auto doing = context_.watch.saving(fmt::format("the last checkpoint in {}", context_.progress.string()));
  writer_->finish();
}

void TrainingSaver::stop_saving() { writer_.reset(); }

CheckpointCost TrainingSaver::cost() const { return writer_ ? writer_->cost() : CheckpointCost(); }

void TrainingSaver::require_time(const std::function<void()>& save) {
  const auto start = Clock::now();
  save();
  finish();
  const double seconds = seconds_since(start);
  uint8_t fits = context_.watch.seconds_left() > context_.watch.seconds_to_stop();
  context_.ranks.broadcast(distributed::buffer_of(&fits, 1), 0, "whether the time is enough");
  if (fits) return;
  throw Error(ExitCode::environment,
              fmt::format("saving takes {:.1f} s, and the {:.1f} s that are left leave no time to train and to save in "
                          "time; give it more (--time-budget, the job's limit)",
                          seconds, std::max(0.0, context_.watch.seconds_left())));
}

void TrainingSaver::advise_on_stopping(double step_seconds) {
  if (!writer_ || advised_ || context_.watch.has_end()) return;  // a job that knows its end saves before it
  const CheckpointCost cost = writer_->cost();
  advised_ = cost.count > 0;
  if (const std::string advice = stopping_advice(context_.ranks.size(), step_seconds, cost); !advice.empty())
    spdlog::info("{}: {}", context_.stage, advice);
}

}  // namespace penstock::stages
