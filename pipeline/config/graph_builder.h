// From a checked draft and the points of its matrix to nodes and runs. Called by load_config.
#pragma once

#include <vector>

#include "pipeline/config/matrix.h"
#include "pipeline/graph.h"

namespace penstock::pipeline {

// `order` is execution_order()'s, `points` are expand_matrix()'s. Call only when nothing was reported: every name must
// be known. Reports parameters that do not fit together, and runs that are equal; the graph is valid when nothing was
// reported.
Graph build_graph(const Draft& draft, const MatrixDraft& matrix, const std::vector<int>& order,
                  const std::vector<Point>& points, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
