#include "distributed/printable.h"

#include <gtest/gtest.h>

#include "distributed/outcome.h"

namespace penstock::distributed {
namespace {

TEST(Printable, TextInUtf8StaysAsItIs) {
  for (const char* text : {"", "plain", "a\tb\nc", "Zellkerne: \xC3\xA4\xC3\xB6\xC3\xBC", "\xE7\xB4\xB0\xE8\x83\x9E",
                           "\xF0\x9F\x94\xAC", "C:\\x41"}) {
    EXPECT_EQ(printable_text(text), text);
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Printable, AByteThatIsNotUtf8IsWrittenAsItsNumber) {
  EXPECT_EQ(printable_name("Zellk\xE4rn.png"), "Zellk\\xE4rn.png");
  EXPECT_EQ(printable_text("\xFF\n\xC3"), "\\xFF\n\\xC3");
}

TEST(Printable, OverlongFormsSurrogatesAndWhatLiesBeyondUnicodeAreNotUtf8) {
  for (const char* text : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x80\x80\xAF",
                           "\xE7\xB4", "\x80", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_TRUE(is_utf8(printable_text(text)));
  }
}

TEST(Printable, WhatATerminalActsOnIsEscaped) {
  EXPECT_EQ(printable_text("\x1B[31mred\x07\x7F"), "\\x1B[31mred\\x07\\x7F");
  EXPECT_EQ(printable_text("\xC2\x9B"
                           "31m"),
            "\\xC2\\x9B31m")
      << "a control sequence of one character";
}

TEST(Printable, ANameKeepsToOneLineAndATextKeepsItsLines) {
  EXPECT_EQ(printable_name("a\nb\tc\r"), "a\\nb\\tc\\x0D");
  EXPECT_EQ(printable_text("a\r\nb\r"), "a\nb\\x0D");
}

TEST(Printable, ABeginningEndsWithAWholeCharacter) {
  EXPECT_EQ(beginning_of("abc", 3), "abc");
  EXPECT_EQ(beginning_of("abcd", 3), "abc");
  EXPECT_EQ(beginning_of("ab\xC3\xA4", 3), "ab");
  EXPECT_EQ(beginning_of("\xF0\x9F\x94\xAC"
                         "b",
                         4),
            "\xF0\x9F\x94\xAC");
  EXPECT_EQ(beginning_of("\xF0\x9F\x94\xAC", 3), "");
  EXPECT_EQ(beginning_of("\x80\x80\x80\x80\x80\x80", 5), "\x80\x80\x80\x80\x80") << "not UTF-8 at all";
}

TEST(Printable, TheMessageOfAnyFailureIsPrintable) {
  const auto message_of = [](const auto& error) {
    try {
      throw error;
    } catch (...) {
      return current_failure().message;
    }
  };
  EXPECT_EQ(message_of(Error(ExitCode::data, "\xE4.png: missing")), "\\xE4.png: missing");
  EXPECT_EQ(message_of(std::runtime_error("\xE4")), "\\xE4");
}

}  // namespace
}  // namespace penstock::distributed
