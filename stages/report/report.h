// The report: one self-contained HTML file about a run, finished or not. The report stage and launch use one renderer.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

// The folders that the report may read, by port. A port without a folder leaves its section out.
class ReportSources {
 public:
  struct Source {
    std::filesystem::path folder;
    std::string label;  // run id in a fan-in, else empty
  };
  void add(const std::string& port, Source source) { sources_[port].push_back(std::move(source)); }
  // The port's first folder, or nullptr.
  const std::filesystem::path* folder(const std::string& port) const;
  const std::vector<Source>& all(const std::string& port) const;
  // A JSON file of a port; null when the port or the file is absent.
  pipeline::Value json(const std::string& port, const std::string& file) const;

 private:
  std::map<std::string, std::vector<Source>> sources_;
};

// `lineage` as pipeline/run/lineage.h describes it. Deterministic in its arguments.
std::string render_report(const ReportSources& sources, const std::string& lineage);

}  // namespace penstock::stages
