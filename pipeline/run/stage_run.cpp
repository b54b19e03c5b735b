#include "pipeline/run/stage_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "pipeline/files.h"
#include "pipeline/plan/sweep.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;
namespace fs = std::filesystem;

constexpr auto shortest_wait = std::chrono::milliseconds(50);
constexpr auto longest_wait = std::chrono::milliseconds(1000);
constexpr size_t shown_problems = 10;
constexpr const char* finished_mark = "finished";  // in a progress folder

void require_unchanged(const StageOrder& order, const char* when) {
  for (const auto& [path, signature] : order.outside) {
    if (stat_signature(path) == signature) continue;
    throw Error(ExitCode::data,
                fmt::format("the input {} changed {}; nothing of it is kept: run again", path.string(), when));
  }
}

// The sweep, as the body sees it.
class SweepBoard final : public ScoreBoard {
 public:
  explicit SweepBoard(const StageOrder::InSweep& place) : sweep_(place.folder, place.rule), place_(place) {}

  bool report(int64_t unit, const std::map<std::string, double>& figures, bool last) override {
    sweep_.record(place_.name, place_.label, unit, figures.at(place_.rule.metric));
    if (!last && given_up_at_ == 0 && !sweep_.decide(place_.name, place_.label, unit)) given_up_at_ = unit;
    return given_up_at_ == 0;
  }
  int64_t given_up_at() const { return given_up_at_; }  // 0: it goes on

 private:
  Sweep sweep_;
  const StageOrder::InSweep& place_;
  int64_t given_up_at_ = 0;
};

Ended ended_of(ExitCode code) {
  if (code == ExitCode::done) return Ended::ran;
  return code == ExitCode::interrupted ? Ended::interrupted : Ended::failed;
}

}  // namespace

StageRun::StageRun(const RankTools& tools, const RunOptions& options, Store& store)
    : tools_(tools), options_(options), store_(store), leases_(store.root() / "leases") {}

NodeResult StageRun::run(const StageOrder& order, const std::function<void(const NodeResult&)>& before_abort) {
  NodeResult result;
  result.node = order.node;
  result.reason = order.reason;
  std::unique_ptr<Lease> lease;
  try {
    for (const auto& [from, object] : order.objects) {
      if (!store_.verify(object)) result.damaged.push_back(from);
    }
    if (result.damaged.empty()) {
      lease = claim(order, result);
    } else {
      result.ended = Ended::damaged;
    }
  } catch (...) {  // a store that is only read, or full
    const Outcome failure = distributed::current_failure();
    result.ended = Ended::failed;
    result.code = failure.code;
    result.message = failure.message;
    spdlog::debug("stage '{}' failed: {}", order.call.stage, failure.message);
  }
  if (result.ended != Ended::not_reached) return result;
  for (int tries = 0; tries <= order.retries; ++tries) {
    attempt(order, result, before_abort);
    if (result.ended != Ended::failed) break;
    if (tries < order.retries)
      spdlog::warn("{}: {}; trying again ({} of {} retries)", order.call.stage, result.message, tries + 1,
                   order.retries);
  }
  return result;
}

// Waits for whoever does the same work at the moment. Fills in `result` when there is nothing left to do.
std::unique_ptr<Lease> StageRun::claim(const StageOrder& order, NodeResult& result) {
  std::unique_ptr<Lease> lease;
  auto pause = shortest_wait;
  bool told = false;
  while (options_.use_leases) {
    LeaseHolder holder;
    if ((lease = leases_.take(order.fields.key(), order.call.stage, &holder))) break;
    if (!options_.wait_for_leases) {
      result.ended = Ended::failed;
      result.code = ExitCode::cannot_create;
      result.message = fmt::format("another run is making it ({}), and --no-wait was given", holder.described());
      spdlog::debug("stage '{}': {}", order.call.stage, result.message);
      return nullptr;
    }
    if (!told) spdlog::info("{}: waiting for another run that is making it ({})", order.call.stage, holder.described());
    told = true;
    if (tools_.interrupted.load()) break;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest_wait);
    if (made_meanwhile(order, result)) return nullptr;
  }
  if (tools_.interrupted.load()) {
    result.ended = Ended::interrupted;
    result.code = ExitCode::interrupted;
    return nullptr;
  }
  made_meanwhile(order, result);  // by who had the lease until now, or works without
  return lease;
}

// Fills in `result` when another run has published what was ordered.
bool StageRun::made_meanwhile(const StageOrder& order, NodeResult& result) const {
  if (order.replace || !(result.published = store_.find_action(order.fields.key()))) return false;
  result.ended = Ended::hit;
  result.reason = "made by another run meanwhile";
  if (order.recipe) store_.publish_recipe(*order.recipe, *result.published);
  return true;
}

void StageRun::attempt(const StageOrder& order, NodeResult& result,
                       const std::function<void(const NodeResult&)>& before_abort) {
  const Digest action = order.fields.key();
  if (options_.begin_log) options_.begin_log();
  spdlog::info("{}: running ({})", order.call.stage, order.reason);
  const AttemptClock clock;
  Attempt attempt;
  attempt.ranks = tools_.ranks.size();
  attempt.threads = tools_.threads;
  attempt.reason = order.reason;
  fs::path staging;
  Outcome outcome;
  std::optional<SweepBoard> board;
  if (order.sweep) board.emplace(*order.sweep);
  std::mutex closing;
  bool closed = false;
  const auto close = [&](const Outcome& end) {
    const std::lock_guard lock(closing);
    if (std::exchange(closed, true)) return;
    clock.stop(attempt);
    if (!staging.empty() && end.code != ExitCode::done) store_.remove_staging(staging);
    record(order, attempt, end, result);
  };
  try {
    attempt.number = store_.next_attempt(action);
    std::vector<std::string> ports;
    for (const PublishedPort& port : order.ports) ports.push_back(port.port);
    // What a finished run left is for longer runs to go on from; who forces this one wants it made again.
    const fs::path finished = store_.root() / "progress" / action.hex() / finished_mark;
    if (!order.resume || (order.replace && fs::exists(finished))) fs::remove_all(finished.parent_path());
    std::vector<Digest> reads;
    for (const auto& [from, object] : order.objects) reads.push_back(object);
    staging = store_.make_staging(action, ports, reads);
    require_unchanged(order, "after it was read for the plan");
    if (order.family) store_.join_family(*order.family, action);
    StageCall call = order.call;
    if (order.family && order.resume) call.relatives = store_.relatives(*order.family, action);
    call.progress = store_.progress(action);
    for (const std::string& port : ports) call.outputs[port] = staging / port;

    const StageKind* kind = find_kind(tools_.kinds, call.kind);
    Events events(options_.events_file ? options_.events_file(order.run) : fs::path(), order.stage, options_.listener);
    if (kind->scope != Scope::rank0) distributed::broadcast_text(tools_.ranks, call.to_text(), 0, "the next stage");
    ChunkKeys chunks = order.chunks;
    chunks.action = action;
    const auto last_words = tools_.watch.if_job_ends([&](const std::string& reason) {
      try {
        close({ExitCode::ranks, reason});
      } catch (const std::exception& error) {
        spdlog::warn("{}: the attempt is not recorded: {}", order.call.stage, error.what());
      }
    });
    outcome = call_stage(call, tools_, events, board ? &*board : nullptr, store_, &chunks, [&](const Outcome& fatal) {
      close(fatal);
      if (before_abort) before_abort(result);
    });
    if (outcome.code == ExitCode::done && board && board->given_up_at() > 0) {
      outcome = {ExitCode::interrupted,
                 fmt::format("given up after unit {}: others of the sweep do better", board->given_up_at())};
    } else if (outcome.code == ExitCode::done) {
      require_unchanged(order, "while the stage read it");
      result.published = commit(order, staging, attempt);
      if (order.family) write_file(finished, "");
    }
  } catch (...) {
    outcome = distributed::current_failure();
  }
  close(outcome);
  if (board && board->given_up_at() > 0) {
    result.ended = Ended::pruned;
    result.code = ExitCode::done;
    spdlog::info("{}: {}", order.call.stage, outcome.message);
  } else if (result.ended == Ended::ran) {
    spdlog::info("{}: done in {:.1f} s", order.call.stage, result.seconds);
  } else if (result.ended == Ended::failed) {
    spdlog::debug("stage '{}' failed: {}", order.call.stage, outcome.message);
  }
}

// The attempt that published this; a run that did so a moment ago writes its record after that.
std::optional<Attempt> StageRun::maker_of(const Digest& action) const {
  for (auto waited = shortest_wait * 0; waited <= longest_wait; waited += shortest_wait) {
    const auto all = store_.attempts(action);
    const auto made = std::find_if(all.rbegin(), all.rend(), [](const Attempt& one) { return one.exit_code == 0; });
    if (made != all.rend()) return *made;
    std::this_thread::sleep_for(shortest_wait);
  }
  return std::nullopt;
}

PublicationPointer StageRun::commit(const StageOrder& order, const fs::path& staging, const Attempt& attempt) {
  const Digest action = order.fields.key();
  Committed outcome = Committed::fresh;
  std::vector<PublishedPort> mine;
  const auto published =
      store_.commit(staging, {order.stage, order.fields, order.ports}, order.recipe, order.replace, &outcome, &mine);
  if (outcome != Committed::different) return published;
  // Only what is made in the same way is promised to be the same.
  const auto made = maker_of(action);
  if (!made || made->ranks != attempt.ranks || made->threads != attempt.threads) {
    spdlog::info("{}: its output differs from what was published before with other ranks or threads", order.call.stage);
    return published;
  }
  Value ports = Value::object();  // those that differ: what was published, and what was made now
  for (const PublishedPort& port : mine) {
    const PublishedPort* theirs = published->port(port.port);
    if (!port.is_volatile && theirs != nullptr && theirs->digest != port.digest)
      ports[port.port] = {theirs->digest.hex(), port.digest.hex()};
  }
  const fs::path file = store_.record_nondeterminism(action, {{"stage", order.stage},
                                                              {"action", action.hex()},
                                                              {"ports", std::move(ports)},
                                                              {"attempts", {made->number, attempt.number}},
                                                              {"hosts", {made->host, host_name()}}});
  spdlog::warn(
      "{}: its output differs from what was published before for the same inputs and parameters: the stage is not "
      "deterministic ({})",
      order.call.stage, file.string());
  return published;
}

void StageRun::record(const StageOrder& order, Attempt& attempt, const Outcome& outcome, NodeResult& result) const {
  result.seconds = attempt.wall_seconds;
  result.code = outcome.code;
  result.message = outcome.message;
  result.ended = ended_of(outcome.code);
  attempt.exit_code = static_cast<int>(outcome.code);
  attempt.message = outcome.message;
  if (options_.end_of_log) attempt.log = options_.end_of_log();
  try {
    store_.record_attempt(order.fields.key(), attempt);
  } catch (const Error& error) {
    spdlog::warn("the attempt is not recorded: {}", error.what());  // a full disk has been told already
  }
}

std::optional<std::string> refusal_of(const Publication& published, const Store& store) {
  for (const PublishedPort& port : published.ports) {
    const fs::path file = store.object_files(port.digest) / "verdict.json";
    if (!fs::exists(file)) continue;
    const Value verdict = Value::parse(read_file(file));
    if (verdict.value("passed", true)) continue;
    const Value problems = verdict.value("problems", Value::array());
    std::string text = fmt::format("{} problem{} found in the data:", problems.size(), problems.size() == 1 ? "" : "s");
    for (size_t i = 0; i < std::min(problems.size(), shown_problems); ++i) {
      text += fmt::format("\n  {}: {}", problems[i].value("sample", ""), problems[i].value("problem", ""));
    }
    return text;
  }
  return std::nullopt;
}

}  // namespace penstock::pipeline
