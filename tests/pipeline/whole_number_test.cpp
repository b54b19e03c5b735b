#include "pipeline/whole_number.h"

#include <gtest/gtest.h>

namespace penstock::pipeline {
namespace {

TEST(WholeNumber, IsWhatTheTypeHoldsAndNothingElse) {
  const auto read = [](const char* text) { return whole_number<int>(Value::parse(text)); };
  EXPECT_EQ(read("7"), 7);
  EXPECT_EQ(read("-7"), -7);
  EXPECT_EQ(read("2147483647"), 2147483647);
  for (const char* text : {"2147483648", "-2147483649", "18446744073709551615", "1111111111111111111111111111111",
                           "1e3", "1.5", "\"7\"", "null", "true"})
    EXPECT_EQ(read(text), std::nullopt) << text;
  EXPECT_EQ(whole_number<uint64_t>(Value::parse("18446744073709551615")), UINT64_MAX);
  EXPECT_EQ(whole_number<uint64_t>(Value::parse("-1")), std::nullopt);
  EXPECT_EQ(whole_number<int64_t>(Value(int64_t{5})), 5) << "made by the program, not parsed";
}

}  // namespace
}  // namespace penstock::pipeline
