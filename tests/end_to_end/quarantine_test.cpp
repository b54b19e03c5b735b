// Data sets with broken files through the built program: what is left out does not depend on how the work is shared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Every seventh picture of the synthetic set is cut to half.
class BrokenFiles {
 public:
  BrokenFiles() {
    EXPECT_EQ(place_.penstock("run pipeline.toml synthesize").code, 0);
    place_.take_archive("set.zip");
    EXPECT_EQ(run("mkdir set && cd set && python3 -m zipfile -e ../set.zip .", place_.path()).code, 0);
    std::vector<fs::path> images;
    for (const auto& entry : fs::recursive_directory_iterator(place_.path() / "set"))
      if (entry.path().parent_path().filename() == "images") images.push_back(entry.path());
    std::sort(images.begin(), images.end());
    for (size_t i = 3; i < images.size(); i += 7, ++broken_) fs::resize_file(images[i], fs::file_size(images[i]) / 2);
  }
  Ran inspected(const std::string& flags, int ranks = 1) const {
    return place_.penstock("run pipeline.toml inspect --input unzip.archive=set " + flags, ranks);
  }
  std::map<std::string, std::string> published(const std::string& store) const { return place_.published(store); }
  std::string count() const { return std::to_string(broken_); }

 private:
  Workplace place_;
  int broken_ = 0;
};

TEST(Quarantine, LeavesTheSameOutOnAnyNumberOfRanksAndSaysItOnce) {
  const BrokenFiles files;
  const std::string wanted = "--set resize.on_bad='\"quarantine\"' --store ";
  const Ran one = files.inspected(wanted + "one");
  const Ran three = files.inspected(wanted + "three", 3);
  ASSERT_EQ(one.code, 0) << one.error;
  ASSERT_EQ(three.code, 0) << three.error;
  EXPECT_EQ(files.published("one"), files.published("three"));
  for (const Ran& ran : {one, three}) {
    const std::string said = "resize: " + files.count() + " of 96 samples cannot be read and are left out";
    const size_t at = ran.error.find(said);
    ASSERT_NE(at, std::string::npos) << ran.error;
    EXPECT_EQ(ran.error.find("cannot be read and are left out", at + said.size()), std::string::npos);
  }
}

TEST(Quarantine, TakesOverWhatWasPreparedBeforeTheBrokenFileWasMet) {
  const BrokenFiles files;
  const Ran refused = files.inspected("--store s");
  EXPECT_EQ(refused.code, 65);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("truncated"), Not(HasSubstr("left out"))));
  EXPECT_EQ(files.inspected("--store s --set resize.on_bad='\"quarantine\"'").code, 0);
  const Ran again = files.inspected("--store s");
  EXPECT_EQ(again.code, 65) << "what was left out is refused again";
  EXPECT_THAT(again.error, HasSubstr("truncated"));
}

}  // namespace
}  // namespace penstock
