// sweep.html: a sweep on one self-contained page. launch renders it; a pure function.
#pragma once

#include <string>
#include <vector>

#include "stages/report/sweep_table.h"

namespace penstock::stages {

// Rows are sorted by the first of shown_metrics() that any run has. A run's id links to <id>/report.html beside the
// page.
std::string render_sweep(const std::string& pipeline, const std::vector<SweepRun>& runs, const std::string& seed_axis);

}  // namespace penstock::stages
