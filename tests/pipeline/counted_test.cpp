#include <gtest/gtest.h>

#include "pipeline/counted.h"

namespace penstock::pipeline {
namespace {

TEST(Counted, ANounIsPluralButForOne) {
  EXPECT_EQ(counted(1, "rank"), "1 rank");
  EXPECT_EQ(counted(0, "rank"), "0 ranks");
  EXPECT_EQ(counted(2, "match", "matches"), "2 matches");
}

TEST(Counted, CommasStandBetweenThousands) {
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(5184), "5,184");
  EXPECT_EQ(with_commas(-123), "-123");
  EXPECT_EQ(with_commas(-1234567), "-1,234,567");
}

}  // namespace
}  // namespace penstock::pipeline
