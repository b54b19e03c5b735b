// Selections that match nothing, or may mean two things, as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

TEST(Selection, APartOfAMatrixWithoutRunsSaysSo) {
  const Workplace place(std::string(small_pipeline) + "[matrix.axes]\n\"train.lr\" = [1e-3, 3e-3]\n");
  int empty = 0;
  for (const char* part : {"1/2", "2/2"}) {
    const Ran ran = place.penstock(std::string("run pipeline.toml --until synthesize --part ") + part);
    EXPECT_EQ(ran.code, 0) << ran.error;
    empty += ran.error.find("this part holds no run") != std::string::npos;
  }
  EXPECT_LE(empty, 1);
  EXPECT_EQ(place.penstock("run pipeline.toml --select train.lr=5").code, 64);
}

TEST(Selection, AStageBehindForceIsATargetAndThatIsSaidOnce) {
  const Workplace place(small_pipeline);
  const Ran target = place.penstock("run pipeline.toml --force synthesize", 2);
  EXPECT_EQ(target.code, 0);
  EXPECT_THAT(target.error, testing::HasSubstr("write --force=synthesize\n"));
  EXPECT_EQ(target.error.find("--force:"), target.error.rfind("--force:"));
  const Ran stage = place.penstock("run pipeline.toml --until synthesize --force=synthesize");
  EXPECT_EQ(stage.code, 0);
  EXPECT_THAT(stage.error, testing::Not(testing::HasSubstr("--force:")));
}

}  // namespace
}  // namespace penstock
