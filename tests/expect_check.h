// What a call is refused with: a user's mistake, or a programmer's, which fails a check (exit code 70) with a sentence.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "distributed/error.h"

namespace penstock {

// The message with which `call` is refused, under this exit code; "(accepted)" where it is not.
inline std::string refusal_of(const std::function<void()>& call, ExitCode code) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "(accepted)";
}

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
