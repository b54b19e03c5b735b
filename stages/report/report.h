// The report: one self-contained HTML file about a run, finished or not. The report stage and launch use one renderer.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

// `lineage` as pipeline/run/lineage.h describes it. Deterministic in its arguments.
std::string render_report(const ReportSources& sources, const std::string& lineage);

}  // namespace penstock::stages
