// Pictures: image, truth, prediction, and where the two differ. A row of report.cpp's table.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

std::string pictures_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
