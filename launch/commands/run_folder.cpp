#include "launch/commands/run_folder.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "distributed/printable.h"
#include "launch/commands/folder_record.h"
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

  // `node` was published, and `upstream` is an input of it, so that it was published too.
  bool is_made_of(int node, int upstream) const {
    if (published_.count(node) == 0) return false;
    const auto upstreams = upstreams_of(graph_.nodes[node]);
    return std::find(upstreams.begin(), upstreams.end(), upstream) != upstreams.end();
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

// Which run this is, and the key of what each stage published, so that a folder is known to be up to date.
pipeline::Value record_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results) {
  pipeline::Value stages = pipeline::Value::object();
  for (const NodeResult& result : results) {
    stages[graph.nodes[result.node].stage()] =
        result.published ? pipeline::Value(result.published->action.hex()) : pipeline::Value(nullptr);
  }
  return {{"pipeline", graph.pipeline},
          {"run", run.id},
          {"label", run.label()},
          {"config", distributed::printable_name(graph.config.string())},
          {"published", stages}};
}

// Nothing is to be written. Says which files are when somebody deleted or changed them.
bool is_up_to_date(const fs::path& folder, const FolderRecord& record) {
  if (!record.is_current()) return false;
  const std::vector<std::string> damaged = record.damaged_files();
  if (!damaged.empty()) {
    spdlog::warn("{}: missing or changed since it was published, and written again: {}", folder.string(),
                 fmt::join(damaged, ", "));
  }
  return damaged.empty();
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
  FolderRecord record(folder, record_of(graph, run, results));
  if (nothing_happened(results) && is_up_to_date(folder, record)) return;
  pipeline::make_folder(folder);
  const Published published(graph, results, store);
  const int eval = graph.node_of_kind(run, "eval");
  const int train = graph.node_of_kind(run, "train");
  bool whole = true;
  const auto refuse = [&](int node, const char* what) {
    whole = false;
    spdlog::warn(
        "the store's {} of stage '{}' is damaged or missing, and not published; 'penstock run {} --force={}' "
        "rebuilds it",
        what, graph.nodes[node].stage(), graph.config.string(), graph.nodes[node].stage());
  };
  // A copy of damaged bytes would look as if it were right.
  const auto is_whole = [&](const pipeline::Digest* object, int node, const char* what) {
    if (object == nullptr || store.verify(*object)) return object != nullptr;
    refuse(node, what);
    return false;
  };
  const auto* metrics = published.digest(eval, "metrics");
  const bool lost = eval >= 0 && metrics == nullptr && published.is_made_of(report, eval);
  if (lost) refuse(eval, "output");
  if (is_whole(metrics, eval, "metrics")) {
    for (const char* name : {"metrics.json", "metrics.csv"}) {
      pipeline::write_file(folder / name, pipeline::read_file(store.object_files(*metrics) / name));
      record.add(name);
    }
  }
  const auto* model = published.digest(eval, "model");
  const int maker = model != nullptr ? eval : train;
  if (model == nullptr && !lost) model = published.digest(train, "model");
  if (is_whole(model, maker, "model")) {
    replace_folder(store.object_files(*model), folder / "model");
    record.add("model");
  }
  if (report >= 0) {
    pipeline::write_file(folder / "report.html", stages::render_report(published.report_sources(report),
                                                                       lineage_of(graph, run, results, store)));
    record.add("report.html");
  }
  if (whole) record.write();
}

}  // namespace penstock::launch
