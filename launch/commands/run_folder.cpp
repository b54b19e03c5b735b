#include "launch/commands/run_folder.h"

#include <algorithm>
#include <map>

#include "distributed/printable.h"
#include "pipeline/files.h"
#include "pipeline/run/lineage.h"
#include "stages/report/report.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Ending;
using pipeline::Graph;
using pipeline::NodeResult;
using pipeline::Run;
using pipeline::Store;

// What is published for this run, by node.
class Published {
 public:
  Published(const Graph& graph, const std::vector<NodeResult>& results, const Store& store)
      : graph_(graph), store_(store) {
    for (const NodeResult& result : results) {
      if (result.published) published_.emplace(result.node, result.published);
    }
  }

  // The object's digest, or nullptr when the stage has not been done.
  const pipeline::Digest* digest(int node, const std::string& port) const {
    const auto found = published_.find(node);
    if (found == published_.end()) return nullptr;
    const pipeline::PublishedPort* published = found->second->port(port);
    return published == nullptr ? nullptr : &published->digest;
  }

  stages::ReportSources report_sources(int report) const {
    stages::ReportSources sources;
    for (const pipeline::Input& input : graph_.nodes[report].inputs) {
      for (const pipeline::Source& source : input.sources) {
        if (source.node < 0) continue;
        if (const auto* object = digest(source.node, source.port())) {
          sources.add(input.port(), {store_.object_files(*object), source.run < 0 ? "" : graph_.runs[source.run].id});
        }
      }
    }
    return sources;
  }

 private:
  const Graph& graph_;
  const Store& store_;
  std::map<int, pipeline::PublicationPointer> published_;
};

bool nothing_happened(const std::vector<NodeResult>& results) {
  return std::none_of(results.begin(), results.end(), [](const NodeResult& one) {
    return one.ending == Ending::ran || one.ending == Ending::failed || one.ending == Ending::interrupted ||
           (one.ending == Ending::pruned && one.seconds > 0);
  });
}

// run.json: which run this is, and the key of what each stage published, so that a folder is known to be up to date.
std::string record_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results) {
  pipeline::Value stages = pipeline::Value::object();
  for (const NodeResult& result : results) {
    stages[graph.nodes[result.node].stage()] =
        result.published ? pipeline::Value(result.published->action.hex()) : pipeline::Value(nullptr);
  }
  return pipeline::Value{{"pipeline", graph.pipeline},
                         {"run", run.id},
                         {"label", run.label()},
                         {"config", distributed::printable_name(graph.config.string())},
                         {"published", stages}}
             .dump(1) +
         "\n";
}

std::string record_in(const fs::path& folder) {
  return fs::exists(folder / "run.json") ? pipeline::read_file(folder / "run.json") : "";
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

void write_run_folder(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store) {
  const fs::path folder = run_folder(graph, run);
  const int report = graph.node_of_kind(run, "report");
  const std::string record = record_of(graph, run, results);
  if (nothing_happened(results) && record_in(folder) == record) return;
  pipeline::make_folder(folder);
  const Published published(graph, results, store);
  const int eval = graph.node_of_kind(run, "eval");
  const int train = graph.node_of_kind(run, "train");
  if (const auto* metrics = published.digest(eval, "metrics")) {
    for (const char* name : {"metrics.json", "metrics.csv"}) {
      pipeline::write_file(folder / name, pipeline::read_file(store.object_files(*metrics) / name));
    }
  }
  const auto* model = published.digest(eval, "model");
  if (model == nullptr) model = published.digest(train, "model");
  if (model != nullptr) replace_folder(store.object_files(*model), folder / "model");
  if (report >= 0) {
    pipeline::write_file(folder / "report.html", stages::render_report(published.report_sources(report),
                                                                       lineage_of(graph, run, results, store)));
  }
  pipeline::write_file(folder / "run.json", record);
}

}  // namespace penstock::launch
