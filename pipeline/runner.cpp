#include "pipeline/runner.h"

#include "pipeline/executor.h"
#include "pipeline/stage_call.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;

// What rank 0 says instead of a stage when all is done: the code, and a message when it is thrown on every rank.
constexpr const char* end_prefix = "end ";

std::string end_text(ExitCode code, const std::string& message) {
  return end_prefix + Value{{"code", static_cast<int>(code)}, {"message", message}}.dump();
}

ExitCode lead(const Graph& graph, const RunOptions& options, const RankTools& tools) {
  ExitCode code = ExitCode::done;
  Outcome failure;
  try {
    Store store(graph.store, Store::Mode::read_write);
    distributed::broadcast_text(tools.ranks, store.root().string(), 0, "the store");
    StatCache inputs(options.cache);
    if (options.verify_inputs) inputs.distrust();
    Plan plan = make_plan(graph, options.selection, store, inputs);
    inputs.save();
    code = Executor(graph, options, tools, store, std::move(plan)).execute();
  } catch (...) {
    failure = distributed::current_failure();
  }
  if (failure.code != ExitCode::done) code = failure.code;
  distributed::broadcast_text(tools.ranks, end_text(code, failure.message), 0, "the end of the run");
  if (failure.code != ExitCode::done) throw Error(failure.code, failure.message);
  return code;
}

// Every other rank: does what rank 0 says until it says end.
ExitCode follow(const RankTools& tools) {
  std::optional<Store> store;
  for (;;) {
    const std::string text = distributed::broadcast_text(tools.ranks, "", 0, "the next stage");
    if (text.starts_with(end_prefix)) {
      const Value end = Value::parse(text.substr(std::string_view(end_prefix).size()));
      const auto code = static_cast<ExitCode>(end.at("code").get<int>());
      if (const std::string message = end.at("message"); !message.empty()) throw Error(code, message);
      return code;
    }
    if (!store) {
      store.emplace(text, Store::Mode::read_write);
      continue;
    }
    call_stage(StageCall::from_text(text), tools, *store, nullptr, nullptr);
  }
}

}  // namespace

ExitCode run_graph(const Graph* graph, const StageTable& kinds, const RunOptions& options,
                   distributed::Communicator& ranks, Events& events, const std::atomic<bool>& interrupted) {
  const RankTools tools{kinds, ranks, options.threads, events, interrupted};
  return ranks.rank() == 0 ? lead(*graph, options, tools) : follow(tools);
}

}  // namespace penstock::pipeline
