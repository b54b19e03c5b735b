#include "stages/compute/scores/prediction_tables.h"

#include <gtest/gtest.h>

#include "pipeline/files.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::vector<std::vector<std::string>> rows_in(const std::filesystem::path& file) {
  const std::string text = pipeline::read_file(file);
  std::vector<std::vector<std::string>> rows;
  std::string_view rest = text;
  while (auto row = next_csv_row(rest)) rows.push_back(*row);
  return rows;
}

TEST(PredictionTables, AnIdWithCommasQuotesOrLineBreaksStaysOneField) {
  const TemporaryFolder folder;
  const std::vector<std::string> ids = {"a, b", "c\"d", "e\nf"};
  PredictionTables tables;
  const Value object = {{"object", 1}, {"area", 4}, {"x", 0.5}, {"y", 1.25}, {"probability", 0.75}};
  for (const std::string& id : ids) tables.add(id, {{"objects", {object}}, {"runs", {"1 4"}}});
  tables.add("none, here", {{"objects", Value::array()}, {"runs", Value::array()}});
  tables.write(folder.path());
  const auto objects = rows_in(folder.path() / "objects.csv"), submission = rows_in(folder.path() / "submission.csv");
  ASSERT_EQ(objects.size(), 4u);
  ASSERT_EQ(submission.size(), 5u);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(objects[i + 1], (std::vector<std::string>{ids[i], "1", "4", "0.500", "1.250", "0.7500"}));
    EXPECT_EQ(submission[i + 1], (std::vector<std::string>{ids[i], "1 4"}));
  }
  EXPECT_EQ(submission[4], (std::vector<std::string>{"none, here", ""}));
}

}  // namespace
}  // namespace penstock::stages
