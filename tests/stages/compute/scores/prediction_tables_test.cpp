#include "stages/compute/scores/prediction_tables.h"

#include <gtest/gtest.h>

#include "pipeline/files.h"
#include "stages/packs/csv.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

std::vector<std::vector<std::string>> rows_in(const std::filesystem::path& file) {
  const std::string text = pipeline::read_file(file);
  std::vector<std::vector<std::string>> rows;
  std::string_view rest = text;
  while (auto row = next_csv_row(rest)) rows.push_back(*row);
  return rows;
}

// One object, the first four pixels of the first column.
FoundObjects column() {
  FoundObjects found{5, 6, {}, {{0, 0, 1}, {1, 0, 1}, {2, 0, 1}, {3, 0, 1}}};
  found.objects = {{0, 4, 4, 0, 6, 3}};
  return found;
}

TEST(PredictionTables, AnIdWithCommasQuotesOrLineBreaksStaysOneField) {
  const TemporaryFolder folder;
  const std::vector<std::string> ids = {"a, b", "c\"d", "e\nf", "none, here"};
  std::vector<TableParts> parts;
  for (const std::string& id : ids) {
    parts.push_back(table_parts(folder.path(), std::to_string(parts.size())));
    write_table_parts(parts.back(), id, id == "none, here" ? FoundObjects{5, 6, {}, {}} : column());
  }
  join_tables(folder.path(), parts);
  const auto objects = rows_in(folder.path() / "objects.csv"), submission = rows_in(folder.path() / "submission.csv");
  ASSERT_EQ(objects.size(), 4u);
  ASSERT_EQ(submission.size(), 5u);
  EXPECT_EQ(objects[0], (std::vector<std::string>{"id", "object", "area", "x", "y", "probability"}));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(objects[i + 1], (std::vector<std::string>{ids[i], "1", "4", "0.000", "1.500", "0.7500"}));
    EXPECT_EQ(submission[i + 1], (std::vector<std::string>{ids[i], "1 4"}));
  }
  EXPECT_EQ(submission[4], (std::vector<std::string>{"none, here", ""}));
}

}  // namespace
}  // namespace penstock::stages
