#include "pipeline/run/stage_attempt.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "distributed/check.h"
#include "distributed/world.h"
#include "pipeline/files.h"
#include "pipeline/run/instruction.h"
#include "pipeline/store/stat_cache.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;
namespace fs = std::filesystem;

// How long, and how often, the record of an output that another run has just published is looked for.
constexpr auto longest_wait = std::chrono::milliseconds(1000);
constexpr auto look_again = std::chrono::milliseconds(50);

void require_unchanged(const StageOrder& order, const char* when) {
  for (const auto& [path, signature] : order.outside) {
    if (stat_signature(path) == signature) continue;
    throw Error(ExitCode::data,
                fmt::format("the input {} changed {}; nothing of it is kept: run again", path.string(), when));
  }
}

}  // namespace

bool SweepBoard::report(int64_t unit, const std::map<std::string, double>& figures, bool last) {
  const auto figure = figures.find(place_.rule.metric);
  PENSTOCK_CHECK(figure != figures.end(), "a body reports every score that its kind declares");
  sweep_.record(place_.name, place_.label, unit, figure->second);
  if (!last && given_up_at_ == 0 && !sweep_.decide(place_.name, place_.label, unit)) given_up_at_ = unit;
  return given_up_at_ == 0;
}

StageAttempt::StageAttempt(const StageOrder& order, const RankTools& tools, const RunOptions& options, Store& store)
    : order_(order), tools_(tools), options_(options), store_(store), action_(order.fields.key()) {
  attempt_.ranks = tools.ranks.size();
  attempt_.threads = tools.threads;
  attempt_.reason = order.reason;
  result_.node = order.node;
  result_.reason = order.reason;
  if (order.sweep) board_.emplace(*order.sweep);
}

NodeResult StageAttempt::run(const BeforeAbort& before_abort) {
  if (options_.begin_log) options_.begin_log();
  spdlog::info("{}: running ({})", order_.call.stage, order_.reason);
  Outcome outcome;
  try {
    outcome = call(prepare(), before_abort);
    if (outcome.code == ExitCode::done) outcome = publish();
  } catch (...) {
    outcome = distributed::current_failure();
  }
  close(outcome);
  if (is_given_up()) {
    result_.ending = Ending::pruned;
    result_.code = ExitCode::done;
  }
  log_end(outcome);
  return result_;
}

// In a progress folder: the stage has published. What is left there is for longer runs to continue from.
fs::path StageAttempt::finished_mark() const { return store_.root() / "progress" / action_.hex() / "finished"; }

// Makes staging, and the call with the folders that the body is to write and read.
StageCall StageAttempt::prepare() {
  attempt_.number = store_.next_attempt(action_);
  // A forced stage starts from nothing; one that was stopped half-way resumes even then.
  if (!order_.resume || (order_.replace && fs::exists(finished_mark()))) fs::remove_all(finished_mark().parent_path());
  std::vector<std::string> ports;
  for (const PublishedPort& port : order_.ports) ports.push_back(port.port);
  std::vector<Digest> reads;
  for (const auto& [from, object] : order_.objects) reads.push_back(object);
  staging_ = store_.make_staging(action_, ports, reads);
  require_unchanged(order_, "after it was read for the plan");
  if (order_.family) store_.join_family(*order_.family, action_);

  StageCall call = order_.call;
  if (order_.family && order_.resume) call.relatives = store_.relatives(*order_.family, action_);
  call.progress = store_.progress(action_);
  for (const std::string& port : ports) call.outputs[port] = staging_ / port;
  return call;
}

// Runs the body on the ranks of the group.
Outcome StageAttempt::call(const StageCall& call, const BeforeAbort& before_abort) {
  const StageKind* kind = find_kind(tools_.kinds, call.kind);
  PENSTOCK_CHECK(kind != nullptr, "an order names a kind of the stage table; all ranks run the same program");
  Events events(options_.events_file ? options_.events_file(order_.run) : fs::path(), order_.stage, options_.listener);
  if (kind->scope != Scope::rank0) instruct(tools_.ranks, call);
  ChunkKeys chunks = order_.chunks;
  chunks.action = action_;
  const auto last_words = tools_.watch.if_job_ends([this](const std::string& reason) {
    try {
      close({ExitCode::ranks, reason});
    } catch (const std::exception& error) {
      spdlog::warn("{}: the attempt is not recorded: {}", order_.call.stage, error.what());
    }
  });
  return call_stage(call, tools_, events, board_ ? &*board_ : nullptr, store_, &chunks, [&](const Outcome& fatal) {
    close(fatal);
    if (before_abort) before_abort(result_);
  });
}

// Of a body that returned: commits what it wrote, unless its run was given up.
Outcome StageAttempt::publish() {
  if (is_given_up()) {
    return {ExitCode::interrupted,
            fmt::format("given up after unit {}: others of the sweep do better", board_->given_up_at())};
  }
  require_unchanged(order_, "while the stage read it");
  result_.published = commit();
  if (order_.family) write_file(finished_mark(), "");
  return {};
}

// Once, whoever comes first: removes what is not published, and records how the attempt ended.
void StageAttempt::close(const Outcome& outcome) {
  const std::lock_guard lock(closing_);
  if (std::exchange(closed_, true)) return;
  clock_.stop(attempt_);
  if (!staging_.empty() && outcome.code != ExitCode::done) store_.remove_staging(staging_);
  record(outcome);
}

PublicationPointer StageAttempt::commit() {
  const PublishResult result =
      store_.commit(staging_, {{order_.stage, order_.fields, order_.ports}, order_.recipe, order_.replace});
  if (result.committed != Committed::different) return result.publication;
  // Only what is made in the same way is promised to be the same.
  const auto made = maker();
  if (made && made->ranks == attempt_.ranks && made->threads == attempt_.threads) {
    report_nondeterminism(*result.publication, result.made, *made);
  } else {
    spdlog::info("{}: its output differs from what was published before with other ranks or threads",
                 order_.call.stage);
  }
  return result.publication;
}

// The attempt that published this action first. A run that published a moment ago writes its record after that.
std::optional<Attempt> StageAttempt::maker() const {
  for (auto waited = look_again * 0; waited <= longest_wait; waited += look_again) {
    const auto all = store_.attempts(action_);
    const auto made = std::find_if(all.rbegin(), all.rend(), [](const Attempt& one) { return one.exit_code == 0; });
    if (made != all.rend()) return *made;
    std::this_thread::sleep_for(look_again);
  }
  return std::nullopt;
}

void StageAttempt::report_nondeterminism(const Publication& published, const std::vector<PublishedPort>& made,
                                         const Attempt& maker) const {
  Value ports = Value::object();  // those that differ: what was published, and what was made now
  for (const PublishedPort& port : made) {
    const PublishedPort* theirs = published.port(port.port);
    if (!port.is_volatile && theirs != nullptr && theirs->digest != port.digest)
      ports[port.port] = {theirs->digest.hex(), port.digest.hex()};
  }
  const fs::path file = store_.record_nondeterminism(action_, {{"stage", order_.stage},
                                                               {"action", action_.hex()},
                                                               {"ports", std::move(ports)},
                                                               {"attempts", {maker.number, attempt_.number}},
                                                               {"hosts", {maker.host, distributed::host_name()}}});
  spdlog::warn(
      "{}: its output differs from what was published before for the same inputs and parameters: the stage is not "
      "deterministic ({})",
      order_.call.stage, file.string());
}

void StageAttempt::record(const Outcome& outcome) {
  result_.seconds = attempt_.wall_seconds;
  result_.code = outcome.code;
  result_.message = outcome.message;
  result_.ending = ending_of(outcome.code);
  attempt_.exit_code = static_cast<int>(outcome.code);
  attempt_.message = outcome.message;
  if (options_.end_of_log) attempt_.log = options_.end_of_log();
  try {
    store_.record_attempt(action_, attempt_);
  } catch (const Error& error) {
    spdlog::warn("the attempt is not recorded: {}", error.what());  // a full disk was reported already
  }
}

void StageAttempt::log_end(const Outcome& outcome) const {
  if (result_.ending == Ending::pruned) {
    spdlog::info("{}: {}", order_.call.stage, outcome.message);
  } else if (result_.ending == Ending::ran) {
    spdlog::info("{}: done in {:.1f} s", order_.call.stage, result_.seconds);
  } else if (result_.ending == Ending::failed) {
    spdlog::debug("stage '{}' failed: {}", order_.call.stage, outcome.message);
  }
}

}  // namespace penstock::pipeline
