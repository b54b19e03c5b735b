#include "pipeline/config.h"

#include <fmt/format.h>

#include "pipeline/draft.h"
#include "pipeline/draft_checks.h"
#include "pipeline/matrix_draft.h"

namespace penstock::pipeline {

LoadedConfig load_config(const ConfigRequest& request, const StageTable& kinds) {
  Diagnostics diagnostics;
  const Draft draft = read_draft(request, kinds, diagnostics);
  const std::vector<int> order = execution_order(draft, diagnostics);
  const MatrixDraft matrix = read_matrix(draft, diagnostics);
  check_fan_ins(draft, matrix.axes, diagnostics);
  const std::vector<Point> points = expand_matrix(draft, matrix, diagnostics);
  if (!diagnostics.empty()) check_parameters(draft, matrix.axes, diagnostics);
  diagnostics.throw_if_any();  // from here on every name is known

  LoadedConfig loaded;
  loaded.graph = build_graph(draft, matrix, order, points, diagnostics);
  diagnostics.throw_if_any();
  loaded.graph.config = request.file;
  for (const DraftStage& stage : draft.stages) {
    for (const Specification& one : stage.kind().parameters) {
      const DraftValue& value = stage.values.at(one.name);
      loaded.settings.push_back({stage.name() + "." + one.name, value.value, value.origin});
    }
  }
  return loaded;
}

}  // namespace penstock::pipeline
