// A selection of runs that matches nothing, as a user meets it.
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

}  // namespace
}  // namespace penstock
