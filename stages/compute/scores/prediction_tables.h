// objects.csv and submission.csv of a predictions folder. There may be more rows than can be held: those of each image
// are two files, which are joined in the end. One thread writes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stages/compute/scores/found_objects.h"

namespace penstock::stages {

struct TableParts {
  std::filesystem::path objects, submission;  // rows without a header
};
TableParts table_parts(const std::filesystem::path& folder, const std::string& id);  // where those of an image lie

void write_table_parts(const TableParts& parts, const std::string& id, const FoundObjects& found);
// In this order, behind headers.
void join_tables(const std::filesystem::path& folder, const std::vector<TableParts>& parts);

}  // namespace penstock::stages
