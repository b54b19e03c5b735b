#include "stages/packs/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/context.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::vector<std::string>> rows_of(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  while (auto row = next_csv_row(text)) rows.push_back(*row);
  return rows;
}

TEST(Csv, QuotesOnlyWhatWouldNotStayOneField) {
  CsvTable table({"id", "value"});
  for (const char* id : {"plain name-1", "a, b", "c\"d", "e\nf", "g\rh", ""}) table.add({id, "1"});
  EXPECT_EQ(table.text(), "id,value\nplain name-1,1\n\"a, b\",1\n\"c\"\"d\",1\n\"e\nf\",1\n\"g\rh\",1\n,1\n");
}

TEST(Csv, ReadsBackEveryFieldThatItWrote) {
  const std::vector<std::string> fields = {"a, b", "\"", "\"\"", "line\nbreak", "\r\n", "", " x ", ",", "ä"};
  CsvTable table(std::vector<std::string>(fields.size(), "column"));
  table.add(fields);
  EXPECT_EQ(rows_of(table.text()).at(1), fields);
}

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
  EXPECT_THAT(rows_of("\xef\xbb\xbfid,subset\r\n\"a, b\",test\r\nc,train"),
              ElementsAre(ElementsAre("id", "subset"), ElementsAre("a, b", "test"), ElementsAre("c", "train")));
  EXPECT_THROW(rows_of("\"a, b\nc,d\n"), Error);
}

TEST(Csv, ARowOfAnotherWidthIsAProgrammersMistake) {
  CsvTable table({"id", "value"});
  EXPECT_THROW(table.add({"only one"}), Error);
}

// The split of samples "a, b" and "c" by this list.
Value split_by(const std::string& list) {
  Bench bench;
  const Value samples = {{{"id", "a, b"}, {"labelled", true}}, {{"id", "c"}, {"labelled", true}}};
  pipeline::write_file(bench.path() / "shards/index.json", Value{{"samples", samples}}.dump());
  pipeline::write_file(bench.path() / "list.csv", list);
  const auto outputs = bench.run(
      "split", {{"shards", {bench.path() / "shards"}}, {"list", {bench.path() / "list.csv"}}}, {{"validation", 0.0}});
  return Value::parse(pipeline::read_file(outputs.at("index") / "split.json")).at("subsets");
}

TEST(Csv, ASplitListMayBeWrittenByASpreadsheetOrByHand) {
  for (const char* list : {"\xef\xbb\xbfid,subset\r\n\"a, b\",test\r\nc,train\r\n",
                           "# by hand, \"unquoted\"\nid,subset\n\na, b,test\nc,train"}) {
    const Value subsets = split_by(list);
    EXPECT_EQ(subsets.at("test"), Value::array({"a, b"})) << list;
    EXPECT_EQ(subsets.at("train"), Value::array({"c"})) << list;
  }
}

TEST(Csv, AFaultInASplitListNamesItsLine) {
  const auto refusal = [](const std::string& list) -> std::string {
    return refusal_of([&] { split_by(list); }, ExitCode::data);
  };
  EXPECT_THAT(refusal("id,subset\nc,train\n\"a, b,test\n"), HasSubstr("list.csv:3: a quote (\") is not closed"));
  EXPECT_THAT(refusal("c,train\nnonsense\n"), HasSubstr("list.csv:2: expected 'id,subset', read 'nonsense'"));
}

}  // namespace
}  // namespace penstock::stages
