// The folder that predict writes: whose results it holds, and which images are done, so that the same command goes on
// where it was interrupted and does nothing twice.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/digest.h"
#include "pipeline/value.h"
#include "stages/compute/scores/prediction_tables.h"

namespace penstock::stages {

// Any thread and any process may call; one process opens the folder first.
class PredictionFolder {
 public:
  // `model` is the folder of the model whose results these are.
  PredictionFolder(std::filesystem::path folder, const std::filesystem::path& model);

  // Makes the folder, or takes one that holds results of the same model. Throws Error(cannot_create) where it holds
  // anything else.
  void open() const;

  // What was added of an image whose bytes are these and whose pictures and tables are there; else nothing.
  std::optional<pipeline::Value> find(const std::string& id, const pipeline::Digest& bytes) const;
  // Where its rows of the tables are.
  TableParts tables_of(const std::string& id) const;
  // After its pictures and tables were written.
  void add(const std::string& id, const pipeline::Digest& bytes, const pipeline::Value& row) const;

  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string model_;  // its digest
};

}  // namespace penstock::stages
