#include "pipeline/run/runner.h"

#include "distributed/check.h"
#include "pipeline/interruption.h"
#include "pipeline/run/conductor.h"
#include "pipeline/run/groups.h"
#include "pipeline/run/instruction.h"
#include "pipeline/run/stage_run.h"
#include "pipeline/store/stat_cache.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;

ExitCode conduct(const Graph& graph, const RunOptions& options, const RankTools& tools, Store& store) {
  StatCache inputs(options.cache);
  if (options.verify_inputs) inputs.distrust();
  Plan plan = [&] {
    const Interruptible digests(tools.interrupted);
    return make_plan(graph, options.selection, store, inputs);
  }();
  inputs.save();
  for (const PlannedNode& planned : plan.nodes) {
    if (planned.needed && planned.state == State::hit) store.touch(*planned.published);
  }
  Conductor conductor(graph, options, tools.interrupted, store, std::move(plan), tools.ranks.size());
  StageRun together(tools, options, store);
  while (const int width = conductor.next_width()) {
    if (width < tools.ranks.size()) {
      run_in_groups(width, conductor, tools, options, store);
      continue;
    }
    conductor.accept(together.run(conductor.next(width).value(), [&](const NodeResult& fatal) {
      conductor.accept(fatal);
      conductor.finish();
    }));
  }
  return conductor.finish();
}

ExitCode lead(const Graph& graph, const RunOptions& options, const RankTools& tools) {
  ExitCode code = ExitCode::done;
  Outcome failure;
  try {
    Store store(graph.store, Store::Mode::read_write);
    instruct(tools.ranks, UseStore{store.root()});
    code = conduct(graph, options, tools, store);
  } catch (...) {
    failure = distributed::current_failure();
  }
  if (failure.code != ExitCode::done) code = failure.code;
  instruct(tools.ranks, EndFollowing{code, failure.message});
  if (failure.code != ExitCode::done) throw Error(failure.code, failure.message);
  return code;
}

}  // namespace

ExitCode run_graph(const Graph* graph, const StageTable& kinds, const RunOptions& options,
                   distributed::Communicator& ranks, std::atomic<bool>& interrupted) {
  PENSTOCK_CHECK((ranks.rank() == 0) == (graph != nullptr), "rank 0 alone has the graph");
  PENSTOCK_CHECK(options.threads >= 1, "a rank has at least one thread");
  const RankTools tools{kinds, ranks, options.threads, interrupted,
                        options.watch != nullptr ? *options.watch : distributed::unwatched()};
  return ranks.rank() == 0 ? lead(*graph, options, tools) : follow(tools, options);
}

}  // namespace penstock::pipeline
