// What a section of the report is. A new section: a file that declares one of these functions, and a row in report.cpp.
#pragma once

#include <string>

#include "stages/report/report_sources.h"

namespace penstock::stages {

struct ReportSection {
  const char* id;     // the anchor of its link
  const char* title;  // the heading, and the link's text
  // The HTML below the heading; empty when there is nothing to show: then the report has neither section nor link.
  std::string (*content)(const ReportSources& sources, const pipeline::Value& lineage);
};

}  // namespace penstock::stages
