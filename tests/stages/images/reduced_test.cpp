#include <gtest/gtest.h>

#include "stages/images/image.h"

namespace penstock::stages {
namespace {

TEST(Reduced, AveragesWholeBlocksAndWhatIsLeftAtTheEdges) {
  const Image image{5, 2, 1, 8, {10, 20, 40, 40, 7, 30, 20, 40, 41, 8}};
  const Image small = reduced(image, 3);
  EXPECT_EQ(small.width, 3);
  EXPECT_EQ(small.height, 1);
  EXPECT_EQ(small.bytes, (std::vector<uint8_t>{20, 40, 8}));
}

TEST(Reduced, LeavesASmallImageAsItIs) {
  const Image image{2, 1, 3, 8, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(reduced(image, 2).bytes, image.bytes);
}

}  // namespace
}  // namespace penstock::stages
