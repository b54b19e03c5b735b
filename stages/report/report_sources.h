// What the report may read: the folders that other stages published, by the report's port. Filled once, then read only.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

// A port without a folder leaves its section out.
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

}  // namespace penstock::stages
