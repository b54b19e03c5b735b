#include "pipeline/config/config.h"

#include <fmt/format.h>

#include "pipeline/config/draft.h"
#include "pipeline/config/draft_checks.h"
#include "pipeline/config/execution_order.h"
#include "pipeline/config/graph_builder.h"
#include "pipeline/config/matrix.h"
#include "pipeline/config/matrix_early_stop.h"

namespace penstock::pipeline {
namespace {

// A rehearsal's values override the matrix's.
Point rehearsed(const Draft& draft, Point point) {
  std::erase_if(point.values, [&](const auto& axis) {
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
  const MatrixDraft matrix = read_matrix(draft, diagnostics);
  check_fan_ins(draft, matrix.axes, diagnostics);
  std::vector<Point> points = expand_matrix(draft, matrix, diagnostics);
  const std::optional<EarlyStop> early_stop = read_early_stop(draft, diagnostics);
  if (!diagnostics.empty()) check_parameters(draft, matrix.axes, diagnostics);
  diagnostics.throw_if_any();  // from here on every name is known

  if (request.rehearse) {  // one run, like a pipeline without a matrix
    points = {rehearsed(draft, points.front())};
    draft.matrix.reset();
  }
  LoadedConfig loaded;
  loaded.graph = build_graph(draft, matrix, order, points, diagnostics);
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
