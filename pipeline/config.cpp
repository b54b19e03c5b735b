#include "pipeline/config.h"

#include <fmt/format.h>

#include "pipeline/draft.h"
#include "pipeline/files.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {

namespace {

// A rehearsal's values stand over the matrix's.
Point rehearsed(const Draft& draft, Point point) {
  std::erase_if(point, [&](const auto& axis) {
    const DraftStage* stage = draft.find(axis.first.substr(0, axis.first.find('.')));
    return stage != nullptr && stage->kind().rehearsal.count(axis.first.substr(axis.first.find('.') + 1)) != 0;
  });
  return point;
}

}  // namespace

LoadedConfig load_config(const ConfigRequest& request, const StageTable& kinds) {
  Diagnostics diagnostics;
  Draft draft = read_draft(request, kinds, diagnostics);
  const std::vector<int> order = execution_order(draft, diagnostics);
  std::vector<Point> points = expand_matrix(draft, diagnostics);
  if (request.rehearse) points = {rehearsed(draft, points.front())};
  const std::optional<EarlyStop> early_stop = read_early_stop(draft, diagnostics);
  diagnostics.throw_if_any();  // from here on every name is known

  if (request.rehearse) draft.matrix.reset();  // one run, like a pipeline without a matrix
  LoadedConfig loaded;
  loaded.graph = build_graph(draft, order, points, diagnostics);
  diagnostics.throw_if_any();
  loaded.graph.config = request.file;
  if (request.rehearse) {
    loaded.graph.pipeline += "-rehearsal";
    loaded.graph.store += "-rehearsal";
  } else {
    loaded.graph.early_stop = early_stop;
  }
  for (const DraftStage& stage : draft.stages) {
    for (const Specification& one : stage.kind().parameters) {
      const DraftValue& value = stage.values.at(one.name);
      loaded.settings.push_back({stage.name() + "." + one.name, value.value, value.origin});
    }
  }
  return loaded;
}

}  // namespace penstock::pipeline
