// Scores: over thresholds, of pixels and objects, and of each run of a matrix. Rows of report.cpp's table.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

std::string threshold_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string scores_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string runs_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
