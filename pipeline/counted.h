// Numbers with their nouns, for messages and reports. Pure functions.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::pipeline {

// "1 rank", "3 ranks", "5,184 ranks". `plural` where it is not the noun with an s: counted(2, "match", "matches").
std::string counted(int64_t number, std::string_view noun, std::string_view plural = "");

// "5184" -> "5,184".
std::string with_commas(std::string digits);
template <std::integral Number>
std::string with_commas(Number number) {
  return with_commas(std::to_string(number));
}

}  // namespace penstock::pipeline
