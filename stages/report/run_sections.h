// About the run: how it ended, its stages, its parameters and environment. Rendered by report.cpp.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

// The box at the top: failed, interrupted, or the scores. Below it come the sections (report_section.h).
std::string verdict(const ReportSources& sources, const pipeline::Value& lineage);
std::string pipeline_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string settings_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
