#include "launch/commands/sweep_view.h"

#include <algorithm>

#include "launch/job/planned_config.h"
#include "pipeline/files.h"
#include "pipeline/plan/status.h"
#include "stages/report/sweep_page.h"

namespace penstock::launch {
namespace {

using pipeline::Standing;

// The state of a run is the first of these that one of its stages has.
constexpr Standing by_precedence[] = {Standing::failed, Standing::running, Standing::pruned, Standing::interrupted,
                                      Standing::stale,  Standing::pending, Standing::done};

// The metrics.json that the last stage of this run published, whichever kind it is; what is made of several runs (an
// ensemble's) is none of its own.
std::map<std::string, double> metrics_of(const PlannedConfig& planned, const pipeline::Run& run) {
  for (auto node = run.nodes.rbegin(); node != run.nodes.rend(); ++node) {
    const auto& published = planned.plan.nodes[*node].published;
    if (!published || is_of_many_runs(planned.graph, planned.graph.nodes[*node])) continue;
    for (const pipeline::PublishedPort& port : published->ports) {
      const auto file = planned.store.object_files(port.digest) / "metrics.json";
      if (std::filesystem::exists(file)) return stages::flat_metrics(pipeline::Value::parse(pipeline::read_file(file)));
    }
  }
  return {};
}

}  // namespace

SweepView view_sweep(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  const PlannedConfig planned = plan_config(options, kinds);
  if (!planned.graph.has_matrix)
    throw Error(ExitCode::usage, options.file.string() + ": has no [matrix], so there are no runs to list");
  pipeline::Explainer explainer(planned.graph, planned.plan, planned.store);
  const auto published = pipeline::published_in(planned.plan);
  std::vector<pipeline::NodeStatus> known(planned.graph.nodes.size());
  std::vector<bool> asked(planned.graph.nodes.size());

  SweepView view{planned.graph.pipeline, planned.graph.seed_axis, {}, {}};
  for (size_t index = 0; index < planned.graph.runs.size(); ++index) {
    if (!planned.plan.runs[index]) continue;
    const pipeline::Run& run = planned.graph.runs[index];
    stages::SweepRun row{run.id, run.axes, "", "", metrics_of(planned, run)};
    auto worst = std::end(by_precedence) - 1;
    auto& parameters = view.parameters.emplace_back();
    for (const int node : run.nodes) {
      const pipeline::Node& instance = planned.graph.nodes[node];
      for (const auto& [name, value] : instance.values()) parameters.emplace(instance.stage() + "." + name, value);
      if (!planned.plan.nodes[node].needed) continue;
      if (!asked[node]) known[node] = status_of(planned.graph, node, planned.plan, published, planned.store, explainer);
      asked[node] = true;
      const auto place = std::find(std::begin(by_precedence), std::end(by_precedence), known[node].standing);
      if (place >= worst) continue;
      worst = place;
      row.detail = instance.stage() + ": " + known[node].detail;
    }
    row.state = name_of(*worst);
    view.runs.push_back(std::move(row));
  }
  return view;
}

void write_sweep_page(const SweepView& view) {
  const auto folder = std::filesystem::path("runs") / view.pipeline;
  pipeline::write_file(folder / "sweep.html", stages::render_sweep(view.pipeline, view.runs, view.seed_axis));
}

}  // namespace penstock::launch
