#include "launch/run_folder.h"

#include <algorithm>
#include <map>

#include "pipeline/files.h"
#include "stages/report.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Ended;
using pipeline::Graph;
using pipeline::Manifest;
using pipeline::NodeResult;
using pipeline::Run;
using pipeline::Store;

// What is published for this run now, by node: this invocation's results, and what the store held before for stages
// that a cached target made it unnecessary to look at.
class Published {
 public:
  Published(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store)
      : graph_(graph), store_(store) {
    pipeline::Selection everything;
    for (const auto& [stage, node] : run.nodes) everything.targets.push_back(stage);
    pipeline::StatCache inputs(pipeline::user_cache_folder());
    for (auto& planned : pipeline::make_plan(graph, everything, store, inputs).nodes) {
      if (planned.manifest) manifests_.emplace(planned.node, std::move(*planned.manifest));
    }
    for (const NodeResult& result : results) {
      if (result.manifest) manifests_.insert_or_assign(result.node, *result.manifest);
    }
  }

  // The object's digest, or nullptr when the stage has not been done.
  const pipeline::Digest* digest(int node, const std::string& port) const {
    const auto found = manifests_.find(node);
    if (found == manifests_.end()) return nullptr;
    const pipeline::PublishedPort* published = found->second.port(port);
    return published == nullptr ? nullptr : &published->digest;
  }

  stages::ReportSources report_sources(int report) const {
    stages::ReportSources sources;
    for (const pipeline::Input& input : graph_.nodes[report].inputs) {
      for (const pipeline::Source& source : input.sources) {
        if (source.node < 0) continue;
        if (const auto* object = digest(source.node, source.port)) {
          sources.add(input.port, {store_.object_files(*object), source.run});
        }
      }
    }
    return sources;
  }

 private:
  const Graph& graph_;
  const Store& store_;
  std::map<int, Manifest> manifests_;
};

int node_of_kind(const Graph& graph, const Run& run, std::string_view kind) {
  for (const auto& [stage, node] : run.nodes) {
    if (graph.nodes[node].kind->name == kind) return node;
  }
  return -1;
}

// Replaces `to` with a copy, so that a reader sees the old folder or the new one, or for a moment none.
void replace_folder(const fs::path& from, const fs::path& to) {
  const fs::path fresh = to.string() + ".new";
  fs::remove_all(fresh);
  pipeline::copy_tree(from, fresh);
  fs::remove_all(to);
  fs::rename(fresh, to);
}

}  // namespace

fs::path run_folder(const Graph& graph, const Run& run) {
  const fs::path folder = fs::path("runs") / graph.pipeline;
  return graph.has_matrix ? folder / run.id : folder;
}

void write_run_folder(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store,
                      const std::string& lineage) {
  const fs::path folder = run_folder(graph, run);
  const int report = node_of_kind(graph, run, "report");
  const bool all_cached =
      std::all_of(results.begin(), results.end(), [](const NodeResult& one) { return one.ended == Ended::hit; });
  if (all_cached && fs::exists(folder / (report >= 0 ? "report.html" : "metrics.json"))) return;

  pipeline::make_folder(folder);
  const Published published(graph, run, results, store);
  const int eval = node_of_kind(graph, run, "eval");
  const int train = node_of_kind(graph, run, "train");
  if (const auto* metrics = published.digest(eval, "metrics")) {
    for (const char* name : {"metrics.json", "metrics.csv"}) {
      pipeline::write_file(folder / name, pipeline::read_file(store.object_files(*metrics) / name));
    }
  }
  const auto* model = published.digest(eval, "model");
  if (model == nullptr) model = published.digest(train, "model");
  if (model != nullptr) replace_folder(store.object_files(*model), folder / "model");
  if (report >= 0) {
    pipeline::write_file(folder / "report.html", stages::render_report(published.report_sources(report), lineage));
  }
}

}  // namespace penstock::launch
