#include "pipeline/json_number.h"

#include <fmt/format.h>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/whole_number.h"

namespace penstock::pipeline {
namespace {

constexpr size_t shown_bytes = 60;

template <typename Number>
[[noreturn]] void refuse(const char* key, const Value& read, const char* kind, Number low, Number high) {
  const std::string text = read.dump();
  const std::string_view shown = distributed::beginning_of(text, shown_bytes);
  throw Error(ExitCode::data,
              fmt::format("\"{}\" is {}{}, and must be {}", key, distributed::printable_name(shown),
                          shown.size() < text.size() ? "..." : "",
                          low == high ? fmt::to_string(low) : fmt::format("a {} from {} to {}", kind, low, high)));
}

}  // namespace

int64_t whole_number_in(const Value& object, const char* key, int64_t low, int64_t high) {
  const Value& read = object.at(key);
  const auto number = whole_number<int64_t>(read);
  if (!number || *number < low || *number > high) refuse(key, read, "whole number", low, high);
  return *number;
}

double number_in(const Value& object, const char* key, double low, double high) {
  const Value& read = object.at(key);
  if (!read.is_number()) refuse(key, read, "number", low, high);
  const auto number = read.get<double>();
  if (!(number >= low && number <= high)) refuse(key, read, "number", low, high);
  return number;
}

int64_t whole_number_in(const Value& object, const char* key, int64_t low, int64_t high, int64_t missing) {
  return object.contains(key) ? whole_number_in(object, key, low, high) : missing;
}

double number_in(const Value& object, const char* key, double low, double high, double missing) {
  return object.contains(key) ? number_in(object, key, low, high) : missing;
}

}  // namespace penstock::pipeline
