// A programmer's mistake fails a check: exit code 70, with a sentence.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "distributed/error.h"

namespace penstock {

inline void expect_check(const std::function<void()>& call, const std::string& sentence) {
  try {
    call();
    FAIL() << "nothing was thrown; expected: " << sentence;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
    EXPECT_THAT(error.what(), testing::HasSubstr(sentence));
  }
}

}  // namespace penstock
