#include "stages/report/report_sources.h"

#include "stages/packs/json_file.h"

namespace penstock::stages {

const std::filesystem::path* ReportSources::folder(const std::string& port) const {
  const auto found = sources_.find(port);
  return found == sources_.end() ? nullptr : &found->second.front().folder;
}

const std::vector<ReportSources::Source>& ReportSources::all(const std::string& port) const {
  static const std::vector<Source> none;
  const auto found = sources_.find(port);
  return found == sources_.end() ? none : found->second;
}

pipeline::Value ReportSources::json(const std::string& port, const std::string& file) const {
  const auto* place = folder(port);
  if (place == nullptr || !std::filesystem::exists(*place / file)) return nullptr;
  return read_json(*place / file);
}

}  // namespace penstock::stages
