// Whole numbers in JSON that anyone may have written. Pure.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

#include "pipeline/value.h"

namespace penstock::pipeline {

// nullopt: no number, one with a fraction or an exponent, or one that T cannot hold. (What has more than 64 bits is
// read as a double, and nlohmann's own conversion of that to an integer is undefined where it is too large.)
template <std::integral T>
std::optional<T> whole_number(const Value& json) {
  if (json.is_number_unsigned()) {
    const auto number = json.get<uint64_t>();
    return std::in_range<T>(number) ? std::optional(static_cast<T>(number)) : std::nullopt;
  }
  if (!json.is_number_integer()) return std::nullopt;
  const auto number = json.get<int64_t>();
  return std::in_range<T>(number) ? std::optional(static_cast<T>(number)) : std::nullopt;
}

}  // namespace penstock::pipeline
