#include "launch/job/folder_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/files.h"
#include "temporary_folder.h"

namespace penstock::launch {
namespace {

using pipeline::Value;
using testing::ElementsAre;
using testing::IsEmpty;

class RecordedFolder : public testing::Test {
 protected:
  RecordedFolder() {
    pipeline::write_file(path("report.html"), "<html>");
    pipeline::write_file(path("model/weights"), "1234");
    FolderRecord record(folder_.path(), run_);
    record.add("report.html");
    record.add("model");
    record.write();
  }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  TemporaryFolder folder_;
  const Value run_ = {{"run", "1f0a"}};
};

TEST_F(RecordedFolder, IsCurrentForTheSameRunOnly) {
  EXPECT_TRUE(FolderRecord(folder_.path(), run_).is_current());
  EXPECT_THAT(FolderRecord(folder_.path(), run_).damaged_files(), IsEmpty());
  EXPECT_FALSE(FolderRecord(folder_.path(), {{"run", "2b1c"}}).is_current());
}

TEST_F(RecordedFolder, FindsWhatIsMissingShorterOrOfTheSameLength) {
  std::filesystem::remove(path("report.html"));
  pipeline::write_file(path("model/weights"), "1239");
  EXPECT_THAT(FolderRecord(folder_.path(), run_).damaged_files(), ElementsAre("model/weights", "report.html"));
  std::filesystem::remove_all(path("model"));
  pipeline::write_file(path("report.html"), "");
  EXPECT_THAT(FolderRecord(folder_.path(), run_).damaged_files(), ElementsAre("model/weights", "report.html"));
}

TEST_F(RecordedFolder, ARecordThatIsDamagedOrGoneIsNotCurrent) {
  for (const char* text : {"", "[]", "{\"run\":\"1f0a\"}", "not json"}) {
    pipeline::write_file(path("run.json"), text);
    EXPECT_FALSE(FolderRecord(folder_.path(), run_).is_current()) << text;
  }
  std::filesystem::remove(path("run.json"));
  EXPECT_FALSE(FolderRecord(folder_.path(), run_).is_current());
}

}  // namespace
}  // namespace penstock::launch
