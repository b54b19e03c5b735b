// The report's pictures: image, truth, prediction, and where the two differ.
#pragma once

#include <string>

#include "stages/report/report.h"

namespace penstock::stages {

// HTML, or nothing without predictions.
std::string pictures_section(const ReportSources& sources);

}  // namespace penstock::stages
