#include <gtest/gtest.h>

#include "distributed/printable.h"
#include "pipeline/keys.h"

namespace penstock::pipeline {
namespace {

// The reason of a run is JSON in its records.
TEST(Differences, ALongTextIsCutBetweenCharacters) {
  for (size_t ascii = 0; ascii < 3; ++ascii) {
    const auto text = [&](const char* character) {
      std::string all(ascii, 'x');
      for (int i = 0; i < 40; ++i) all += character;
      return all;
    };
    KeyFields before, after;
    before.fields = {{"parameter command", text("\xC3\xA4")},
                     {"parameter env", std::string(ascii, 'x') + "\xE7\xB4\xB0"}};
    after.fields = {{"parameter command", text("\xE7\xB4\xB0")}, {"parameter env", "x"}};
    for (const Difference& one : differences(before, after)) {
      EXPECT_TRUE(distributed::is_utf8(one.before)) << one.field;
      EXPECT_TRUE(distributed::is_utf8(one.after)) << one.field;
    }
  }
}

}  // namespace
}  // namespace penstock::pipeline
