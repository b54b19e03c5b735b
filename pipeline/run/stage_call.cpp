#include "pipeline/run/stage_call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <thread>

#include "distributed/check.h"
#include "distributed/watchdog/settle.h"
#include "pipeline/packed_value.h"
#include "pipeline/run/shared_pass.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;

// How long a rank that failed waits for the others to have failed too. Those that did not are waiting for it elsewhere.
constexpr auto patience = std::chrono::milliseconds(1000);
// A rank that failed alone gives rank 0, which keeps the records, this long to speak first.
constexpr auto courtesy = std::chrono::milliseconds(300);

Outcome run_on_all(StageBody& body, StageContext& context, const std::function<void(const Outcome&)>& before_abort) {
  const auto end = context.ranks.duplicate("the end of " + context.stage);
  Outcome mine;
  try {
    body.run(context);
  } catch (...) {
    mine = distributed::current_failure();
  }
  std::optional<distributed::Watch::Doing> failing;
  if (mine.code != ExitCode::done) failing.emplace(context.watch.failing(mine.message));
  if (const auto agreed = distributed::settle(*end, mine, patience)) return agreed->outcome;
  if (context.ranks.rank() != 0) std::this_thread::sleep_for(courtesy);
  const std::string text = fmt::format("stage '{}', rank {}: {}", context.stage, context.ranks.rank(), mine.message);
  spdlog::error("{}", text);
  if (context.ranks.rank() != 0) std::fprintf(stderr, "%s\n", text.c_str());
  if (before_abort) before_abort(mine);
  context.ranks.abort(mine.code);
  return mine;
}

Outcome run_alone(StageBody& body, StageContext& context) {
  try {
    body.run(context);
    return {};
  } catch (...) {
    return distributed::current_failure();
  }
}

}  // namespace

std::string StageCall::to_text() const {
  Value ports = Value::object();
  for (const auto& [port, sources] : inputs) {
    for (const InputSource& source : sources) ports[port].push_back({source.path.string(), source.label});
  }
  Value folders = Value::object();
  for (const auto& [port, folder] : outputs) folders[port] = folder.string();
  Value folders_text = Value::array();
  for (const auto& folder : relatives) folders_text.push_back(folder.string());
  return packed({{"stage", stage},
                 {"kind", kind},
                 {"values", values},
                 {"inputs", ports},
                 {"outputs", folders},
                 {"progress", progress.string()},
                 {"relatives", folders_text},
                 {"lineage", lineage}});
}

StageCall StageCall::from_text(const std::string& text) {
  const Value json = unpacked(text);
  StageCall call;
  call.stage = json.at("stage");
  call.kind = json.at("kind");
  call.values = json.at("values").get<Values>();
  for (const auto& [port, sources] : json.at("inputs").items()) {
    for (const Value& source : sources) {
      call.inputs[port].push_back({source.at(0).get<std::string>(), source.at(1).get<std::string>()});
    }
  }
  for (const auto& [port, folder] : json.at("outputs").items()) call.outputs[port] = folder.get<std::string>();
  call.progress = json.at("progress").get<std::string>();
  for (const Value& folder : json.at("relatives")) call.relatives.emplace_back(folder.get<std::string>());
  call.lineage = json.at("lineage");
  return call;
}

Outcome call_stage(const StageCall& call, const RankTools& tools, Events& events, ScoreBoard* scores, Store& store,
                   const ChunkKeys* keys, const std::function<void(const Outcome&)>& before_abort) {
  const StageKind* kind = find_kind(tools.kinds, call.kind);
  PENSTOCK_CHECK(kind != nullptr, "every rank runs the same program, with the same stage table");
  StageContext context{.values = call.values,
                       .ranks = tools.ranks,
                       .threads = tools.threads,
                       .inputs = call.inputs,
                       .outputs = call.outputs,
                       .progress = call.progress,
                       .relatives = call.relatives,
                       .events = events,
                       .interrupted = tools.interrupted,
                       .scores = scores,
                       .lineage = call.lineage,
                       .watch = tools.watch,
                       .stage = call.stage};
  const auto doing = context.watch.stage(call.stage);
  if (kind->scope == Scope::shared) return run_shared(*kind, context, store, keys);
  std::unique_ptr<StageBody> body;
  Outcome opened;
  try {
    body = kind->body();
  } catch (...) {
    opened = distributed::current_failure();
  }
  if (kind->scope == Scope::rank0) return opened.code == ExitCode::done ? run_alone(*body, context) : opened;
  const distributed::Agreed agreed = distributed::agree(tools.ranks, opened, "opening the body of " + call.stage);
  return agreed.rank >= 0 ? agreed.outcome : run_on_all(*body, context, before_abort);
}

}  // namespace penstock::pipeline
