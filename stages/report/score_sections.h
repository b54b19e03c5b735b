// Scores: over thresholds, of pixels and objects, and of each run of a matrix. Rows of report.cpp's table.
#pragma once

#include <optional>
#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

// A model beside Otsu's threshold of each picture, on the subset that judges: test, else validation.
struct Standing {
  std::string subset;          // empty: neither is there
  double dice = 0;             // native, of all pixels together
  std::optional<double> otsu;  // the same of Otsu's threshold; nothing: of an eval that did not take it
  bool predicts_nothing = false;

  bool is_good() const { return !predicts_nothing && (!otsu || dice > *otsu); }
};
Standing standing_of(const pipeline::Value& metrics);

std::string threshold_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string scores_section(const ReportSources& sources, const pipeline::Value& lineage);
std::string runs_section(const ReportSources& sources, const pipeline::Value& lineage);

}  // namespace penstock::stages
