// About the network: a drawing and a table of its layers. A row of report.cpp's table.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

std::string network_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
