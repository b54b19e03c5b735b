// Expands [matrix]: axes x zips (or a sample of them) -> exclude -> include -> set -> seeds. Called by load_config.
#pragma once

#include <vector>

#include "pipeline/config/matrix_draft.h"

namespace penstock::pipeline {

// A run of the matrix before it has nodes.
struct Point {
  Assignment values;
  int include = -1;  // index into MatrixDraft::includes, for a run that one of them adds
};

// The points of the matrix; one empty point without a matrix. A matrix of more than max_runs points is refused before
// they are made. Empty when something was reported, here or while the matrix was read.
std::vector<Point> expand_matrix(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
