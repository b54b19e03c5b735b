#include "stages/images/label_codec.h"

#include <gtest/gtest.h>

#include "distributed/error.h"

namespace penstock::stages {
namespace {

ExitCode refusal(const LabelMap& map) {
  try {
    encode_labels(map);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::done;
}

TEST(LabelCodec, AMapWithoutAValueForEachPixelIsAProgrammersMistake) {
  EXPECT_EQ(refusal({2, 3, std::vector<Label>(6)}), ExitCode::done);
  EXPECT_EQ(refusal({2, 3, std::vector<Label>(5)}), ExitCode::internal);
  EXPECT_EQ(refusal({-2, -3, std::vector<Label>(6)}), ExitCode::internal);
  EXPECT_THROW(decode_labels({}, 0, 3, "x"), Error);
}

}  // namespace
}  // namespace penstock::stages
