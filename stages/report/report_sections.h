// The parts of the report. Each returns HTML, or nothing when its sources are absent.
#pragma once

#include <string>

#include "stages/report/report.h"

namespace penstock::stages {

std::string verdict_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string pipeline_section(const pipeline::Value& lineage);
std::string data_section(const ReportSources& sources);
std::string network_section(const ReportSources& sources);
std::string training_section(const ReportSources& sources);
std::string threshold_section(const ReportSources& sources);
std::string scores_section(const ReportSources& sources);
std::string runs_section(const ReportSources& sources);
std::string settings_section(const ReportSources& sources, const pipeline::Value& lineage);

// 0.98765 -> "0.9877"; null -> "–".
std::string figure(const pipeline::Value& number);

}  // namespace penstock::stages
