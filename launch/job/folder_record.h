// run.json of a run's folder in runs/: which run it is, what was published into it, and the size and digest of each
// file, so that a file that is missing or was changed is found and written again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::launch {

class FolderRecord {
 public:
  // `run`: what the folder's content is made from.
  FolderRecord(std::filesystem::path folder, pipeline::Value run);

  // Whether run.json in the folder was written for the same `run`.
  bool is_current() const;
  // Files that the folder's run.json lists and that are missing, or differ from it in size or digest; reads them all.
  std::vector<std::string> damaged_files() const;

  // `name`: of a file, or of a folder with all files below it, that now lie in the folder as they should.
  void add(const std::string& name);
  void write() const;  // run.json, last

 private:
  std::filesystem::path folder_;
  pipeline::Value run_;
  pipeline::Value before_;  // run.json as it is in the folder; null when it is missing or damaged
  pipeline::Value files_ = pipeline::Value::object();
};

}  // namespace penstock::launch
