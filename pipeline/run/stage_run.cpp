#include "pipeline/run/stage_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "pipeline/interruption.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;
namespace fs = std::filesystem;

constexpr auto shortest_wait = std::chrono::milliseconds(50);
constexpr auto longest_wait = std::chrono::milliseconds(1000);
constexpr size_t shown_problems = 10;
constexpr size_t shown_warnings = 3;

}  // namespace

StageRun::StageRun(const RankTools& tools, const RunOptions& options, Store& store)
    : tools_(tools), options_(options), store_(store), leases_(store.root() / "leases") {}

NodeResult StageRun::run(const StageOrder& order, const BeforeAbort& before_abort) {
  NodeResult result;
  result.node = order.node;
  result.reason = order.reason;
  std::unique_ptr<Lease> lease;
  try {
    const Interruptible digests(tools_.interrupted);
    for (const auto& [from, object] : order.objects) {
      if (!store_.verify(object)) result.damaged.push_back(from);
    }
    if (result.damaged.empty()) {
      lease = claim(order, result);
    } else {
      result.ending = Ending::damaged;
    }
  } catch (...) {  // a store that is only read, or full
    const Outcome failure = distributed::current_failure();
    result.ending = ending_of(failure.code);
    result.code = failure.code;
    result.message = failure.message;
    if (result.ending == Ending::failed) spdlog::debug("stage '{}' failed: {}", order.call.stage, failure.message);
  }
  if (result.ending != Ending::not_reached) return result;
  for (int tries = 0; tries <= order.retries; ++tries) {
    result = StageAttempt(order, tools_, options_, store_).run(before_abort);
    if (result.ending != Ending::failed) break;
    if (tries < order.retries)
      spdlog::warn("{}: {}; trying again ({} of {} retries)", order.call.stage, result.message, tries + 1,
                   order.retries);
  }
  return result;
}

// Waits while another run holds the lease on the same work. Fills in `result` when there is nothing left to do.
std::unique_ptr<Lease> StageRun::claim(const StageOrder& order, NodeResult& result) {
  std::unique_ptr<Lease> lease;
  auto pause = shortest_wait;
  bool logged = false;
  while (options_.use_leases) {
    LeaseHolder holder;
    if ((lease = leases_.take(order.fields.key(), order.call.stage, &holder))) break;
    if (!options_.wait_for_leases) {
      result.ending = Ending::failed;
      result.code = ExitCode::cannot_create;
      result.message = fmt::format("another run is making it ({}), and --no-wait was given", holder.described());
      spdlog::debug("stage '{}': {}", order.call.stage, result.message);
      return nullptr;
    }
    if (!logged)
      spdlog::info("{}: waiting for another run that is making it ({})", order.call.stage, holder.described());
    logged = true;
    if (tools_.interrupted.load()) break;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest_wait);
    if (made_meanwhile(order, result)) return nullptr;
  }
  if (tools_.interrupted.load()) {
    result.ending = Ending::interrupted;
    result.code = ExitCode::interrupted;
    return nullptr;
  }
  made_meanwhile(order, result);  // by the run that held the lease before, or by one with --no-lease
  return lease;
}

// Fills in `result` when another run has published what was ordered.
bool StageRun::made_meanwhile(const StageOrder& order, NodeResult& result) const {
  if (order.replace || !(result.published = store_.find_action(order.fields.key()))) return false;
  result.ending = Ending::hit;
  result.reason = "made by another run meanwhile";
  if (order.recipe) store_.publish_recipe(*order.recipe, *result.published);
  return true;
}

namespace {

// Of the published ports, those with a verdict.json.
std::vector<Value> verdicts_of(const Publication& published, const Store& store) {
  std::vector<Value> verdicts;
  for (const PublishedPort& port : published.ports) {
    const fs::path file = store.object_files(port.digest) / "verdict.json";
    if (fs::exists(file)) verdicts.push_back(Value::parse(read_file(file)));
  }
  return verdicts;
}

}  // namespace

std::optional<std::string> refusal_of(const Publication& published, const Store& store) {
  for (const Value& verdict : verdicts_of(published, store)) {
    if (verdict.value("passed", true)) continue;
    const Value problems = verdict.value("problems", Value::array());
    std::string text = counted(problems.size(), "problem") + " found in the data:";
    for (size_t i = 0; i < std::min(problems.size(), shown_problems); ++i) {
      text += fmt::format("\n  {}: {}", distributed::printable_name(problems[i].value("sample", "")),
                          problems[i].value("problem", ""));
    }
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> warnings_of(const Publication& published, const Store& store) {
  std::vector<std::string> all;
  for (const Value& verdict : verdicts_of(published, store)) {
    for (const Value& warning : verdict.value("warnings", Value::array())) {
      all.push_back(distributed::printable_name(warning.value("sample", "")) + ": " +
                    distributed::printable_name(warning.value("warning", "")));
    }
  }
  if (all.empty()) return std::nullopt;
  std::string text = counted(static_cast<int64_t>(all.size()), "warning") + " about the data: ";
  for (size_t i = 0; i < std::min(all.size(), shown_warnings); ++i) text += (i == 0 ? "" : "; ") + all[i];
  if (all.size() > shown_warnings) text += fmt::format("; and {} more (verdict.json)", all.size() - shown_warnings);
  return text;
}

}  // namespace penstock::pipeline
