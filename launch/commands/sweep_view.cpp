#include "launch/commands/sweep_view.h"

#include <algorithm>

#include "launch/job/looked.h"
#include "pipeline/files.h"
#include "pipeline/plan/status.h"
#include "stages/report/sweep_page.h"

namespace penstock::launch {
namespace {

using pipeline::Standing;

// What a run is when its stages are these: the first of this order that one of them is.
constexpr Standing telling[] = {Standing::failed, Standing::running, Standing::pruned, Standing::interrupted,
                                Standing::stale,  Standing::pending, Standing::done};

// The metrics.json that the last stage of the run published, whichever kind it is.
std::map<std::string, double> metrics_of(const Looked& looked, const pipeline::Run& run) {
  for (auto node = run.nodes.rbegin(); node != run.nodes.rend(); ++node) {
    const auto& published = looked.plan.nodes[*node].published;
    if (!published) continue;
    for (const pipeline::PublishedPort& port : published->ports) {
      const auto file = looked.store.object_files(port.digest) / "metrics.json";
      if (std::filesystem::exists(file)) return stages::flat_metrics(pipeline::Value::parse(pipeline::read_file(file)));
    }
  }
  return {};
}

}  // namespace

SweepView look_at_sweep(const ConfigOptions& options, const pipeline::StageTable& kinds) {
  const Looked looked = look(options, kinds);
  if (!looked.graph.has_matrix)
    throw Error(ExitCode::usage, options.file.string() + ": has no [matrix], so there are no runs to list");
  pipeline::Explainer explainer(looked.graph, looked.plan, looked.store);
  const auto published = pipeline::published_in(looked.plan);
  std::vector<pipeline::NodeStatus> known(looked.graph.nodes.size());
  std::vector<bool> asked(looked.graph.nodes.size());

  SweepView view{looked.graph.pipeline, looked.graph.seed_axis, {}, {}};
  for (size_t index = 0; index < looked.graph.runs.size(); ++index) {
    if (!looked.plan.runs[index]) continue;
    const pipeline::Run& run = looked.graph.runs[index];
    stages::SweepRun row{run.id, run.axes, "", "", metrics_of(looked, run)};
    auto worst = std::end(telling) - 1;
    auto& parameters = view.parameters.emplace_back();
    for (const int node : run.nodes) {
      const pipeline::Node& instance = looked.graph.nodes[node];
      for (const auto& [name, value] : instance.values()) parameters.emplace(instance.stage() + "." + name, value);
      if (!looked.plan.nodes[node].needed) continue;
      if (!asked[node]) known[node] = status_of(looked.graph, node, looked.plan, published, looked.store, explainer);
      asked[node] = true;
      const auto place = std::find(std::begin(telling), std::end(telling), known[node].standing);
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
