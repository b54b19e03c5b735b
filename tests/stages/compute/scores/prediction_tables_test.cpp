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

TEST(PredictionTables, JoinedFromPartsAreThoseOfTheRowsInMemory) {
  FoundObjects found{5, 2, {}, {{0, 0, 2}, {0, 4, 1}, {1, 0, 1}, {0, 2, 1}, {1, 2, 2}}, {}};
  found.objects = {{0, 3, 4, 5, 1, 2.5}, {3, 2, 3, 7, 2, 1.25}};
  const TemporaryFolder folder;
  PredictionTables tables;
  std::vector<TableParts> parts;
  for (const std::string id : {"a", "b, c", "none"}) {
    const FoundObjects own = id == "none" ? FoundObjects{5, 2, {}, {}, {}} : found;
    tables.add(id, Value::parse(PredictionTables::rows_of(own).dump()));
    parts.push_back({folder.path() / (id + ".objects"), folder.path() / (id + ".submission")});
    write_table_parts(parts.back(), id, own);
  }
  tables.write(folder.path() / "whole");
  join_tables(folder.path() / "joined", parts);
  for (const char* name : {"objects.csv", "submission.csv"})
    EXPECT_EQ(pipeline::read_file(folder.path() / "joined" / name),
              pipeline::read_file(folder.path() / "whole" / name));
}

}  // namespace
}  // namespace penstock::stages
