// About the training: curves, best epoch, early stopping and rate. A row of report.cpp's table.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

std::string training_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
