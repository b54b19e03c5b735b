// About the data: counts, sizes, histograms, warnings and a gallery, from inspect. A row of report.cpp's table.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

std::string data_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
