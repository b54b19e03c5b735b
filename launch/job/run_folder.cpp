#include "launch/job/run_folder.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "distributed/printable.h"
#include "launch/job/folder_record.h"
#include "pipeline/files.h"
#include "pipeline/run/lineage.h"
#include "stages/report/report.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Ending;
using pipeline::Graph;
using pipeline::NodeResult;
using pipeline::Publications;
using pipeline::Run;
using pipeline::Store;

// What is published, by node.
class Published {
 public:
  Published(const Graph& graph, const Publications& published, const Store& store)
      : graph_(graph), published_(published), store_(store) {}

  // `node` was published, and `upstream` is an input of it, so that it was published too.
  bool is_made_of(int node, int upstream) const {
    if (!of(node)) return false;
    const auto upstreams = upstreams_of(graph_.nodes[node]);
    return std::find(upstreams.begin(), upstreams.end(), upstream) != upstreams.end();
  }

  // The object's digest, or nullptr when the stage has not been done.
  const pipeline::Digest* digest(int node, const std::string& port) const {
    const pipeline::PublicationPointer& publication = of(node);
    const pipeline::PublishedPort* published = publication ? publication->port(port) : nullptr;
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
  // Null for node -1, and where the stage has not been done.
  const pipeline::PublicationPointer& of(int node) const {
    static const pipeline::PublicationPointer nothing = nullptr;
    return node < 0 ? nothing : published_[static_cast<size_t>(node)];
  }

  const Graph& graph_;
  const Publications& published_;
  const Store& store_;
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

// What a folder shows, by node; -1: nothing.
struct Shown {
  int report = -1, eval = -1, train = -1;
};

// Of a run: the first of each kind, of this run alone or, `of_many`, made of several.
Shown shown_of(const Graph& graph, const Run& run, bool of_many) {
  const auto first = [&](std::string_view kind) {
    const auto is_it = [&](int node) {
      return graph.nodes[node].kind().name == kind && is_of_many_runs(graph, graph.nodes[node]) == of_many;
    };
    const auto found = std::find_if(run.nodes.begin(), run.nodes.end(), is_it);
    return found == run.nodes.end() ? -1 : *found;
  };
  return {first("report"), first("eval"), first("train")};
}

// `lineage`: as render_report() takes it.
void write_folder(const fs::path& folder, FolderRecord record, const Shown& shown, const Graph& graph,
                  const std::string& lineage, const Published& published, const Store& store) {
  pipeline::make_folder(folder);
  const auto [report, eval, train] = shown;
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
    pipeline::write_file(folder / "report.html", stages::render_report(published.report_sources(report), lineage));
    record.add("report.html");
  }
  if (whole) record.write();
}

}  // namespace

fs::path run_folder(const Graph& graph, const Run& run) {
  const fs::path folder = fs::path("runs") / graph.pipeline;
  return graph.has_matrix ? folder / run.id : folder;
}

void write_run_folder(const Graph& graph, const Run& run, const std::vector<NodeResult>& results,
                      const Publications& publications, const Store& store) {
  const Published published(graph, publications, store);
  const auto update = [&](const fs::path& folder, const Run& of, const Shown& shown) {
    FolderRecord record(folder, record_of(graph, of, results));
    if (nothing_happened(results) && is_up_to_date(folder, record)) return;
    write_folder(folder, std::move(record), shown, graph, lineage_of(graph, of, results, store), published, store);
  };
  update(run_folder(graph, run), run, shown_of(graph, run, false));
  const Shown gathered = shown_of(graph, run, true);
  const int node = std::max(gathered.report, gathered.eval);
  if (node < 0 || &graph.runs[static_cast<size_t>(graph.nodes[node].runs.back())] != &run) return;
  Run all = run;
  all.id.clear(), all.axes.clear();
  update(fs::path("runs") / graph.pipeline, all, gathered);
}

}  // namespace penstock::launch
