#include "pipeline/parameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "distributed/check.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

bool is_list(Type type) { return type == Type::words || type == Type::integers || type == Type::numbers; }

// The type of a list's elements.
Type element_of(Type type) {
  if (type == Type::words) return Type::word;
  return type == Type::integers ? Type::integer : Type::number;
}

// What is taken, for the beginning of one.
std::string wanted(const Specification& specification) {
  const std::string choices = fmt::format("{}", fmt::join(specification.about.choices, ", "));
  const std::string words = fmt::format("\"{}\"", fmt::join(specification.about.choices, "\" or \""));
  switch (specification.type) {
    case Type::boolean:
      return "true or false";
    case Type::integer:
      return "an integer";
    case Type::number:
      return "a number";
    case Type::word:
      return choices.empty() ? "text" : "one of " + choices;
    case Type::integer_or_word:
      return "an integer or " + words;
    case Type::number_or_word:
      return "a number or " + words;
    case Type::words:
      return choices.empty() ? "a list of text" : "a list of any of " + choices;
    case Type::integers:
      return "a list of integers";
    case Type::numbers:
      return "a list of numbers";
  }
  return "";
}

bool is_text_of_a_number(const Value& value) {
  if (!value.is_string()) return false;
  const std::string text = value.get<std::string>();
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0';
}

// Missing or superfluous quotes are the most common mistake.
std::string about_quotes(const Specification& specification, const Value& value) {
  const Type type = specification.type;
  if (type == Type::word && specification.about.choices.empty() && value.is_primitive() && !value.is_null())
    return "; put it in quotes";
  if ((type == Type::integer || type == Type::number) && is_text_of_a_number(value)) return "; remove the quotes";
  if (type == Type::boolean && (value == "true" || value == "false")) return "; remove the quotes";
  if (is_list(type) && value.is_primitive() && !value.is_null() && fits(element_of(type), value))
    return fmt::format("; write [{}]", as_read(value));
  return "";
}

// Of anything but a list.
std::optional<std::string> problem_with_one(const Specification& specification, const Value& value) {
  const About& about = specification.about;
  if (!fits(specification.type, value))
    return fmt::format("must be {}, is {}{}", wanted(specification), as_read(value),
                       about_quotes(specification, value));
  if (value.is_number()) {
    const double number = value.get<double>();
    if (!std::isfinite(number)) return "must be a finite number, is " + as_read(value);
    if (about.minimum && number < *about.minimum)
      return fmt::format("must be at least {}, is {}", *about.minimum, value.dump());
    if (about.maximum && number > *about.maximum)
      return fmt::format("must be at most {}, is {}", *about.maximum, value.dump());
  }
  if (value.is_string() && !about.choices.empty()) {
    const std::string word = value.get<std::string>();
    if (std::find(about.choices.begin(), about.choices.end(), word) == about.choices.end()) {
      return fmt::format("must be {}, is {}{}", wanted(specification), as_read(value),
                         did_you_mean(word, about.choices));
    }
  }
  return std::nullopt;
}

template <typename T>
Value value_of(const T& value) {
  return value;
}
template <typename Number>
Value value_of(const std::variant<Number, std::string>& value) {
  return std::visit([](const auto& one) { return Value(one); }, value);
}

template <typename T>
void take(const Value& value, T& target) {
  target = value.get<T>();
}
template <typename Number>
void take(const Value& value, std::variant<Number, std::string>& target) {
  if (value.is_string()) {
    target = value.get<std::string>();
  } else {
    target = value.get<Number>();
  }
}

template <typename T>
void read(const Values& values, const std::string& name, T& target) {
  const auto found = values.find(name);
  if (found != values.end()) take(found->second, target);
}

}  // namespace

std::string_view name_of(Type type) {
  switch (type) {
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::number:
      return "number";
    case Type::word:
      return "word";
    case Type::integer_or_word:
      return "integer or word";
    case Type::number_or_word:
      return "number or word";
    case Type::words:
      return "list of words";
    case Type::integers:
      return "list of integers";
    case Type::numbers:
      return "list of numbers";
  }
  return "";
}

std::string as_read(const Value& value) {
  if (value.is_array()) return "a list";
  if (value.is_null() || value.is_object()) return "a table";
  if (value.is_number_float() && !std::isfinite(value.get<double>()))
    return std::isnan(value.get<double>()) ? "nan" : "infinite";
  return value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

bool fits(Type type, const Value& value) {
  switch (type) {
    case Type::boolean:
      return value.is_boolean();
    case Type::integer:
      return value.is_number_integer();
    case Type::number:
      return value.is_number();
    case Type::word:
      return value.is_string();
    case Type::integer_or_word:
      return value.is_number_integer() || value.is_string();
    case Type::number_or_word:
      return value.is_number() || value.is_string();
    case Type::words:
    case Type::integers:
    case Type::numbers:
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [&](const Value& one) { return fits(element_of(type), one); });
  }
  return false;
}

std::optional<size_t> faulty_element(const Specification& specification, const Value& value) {
  if (!is_list(specification.type) || !value.is_array()) return std::nullopt;
  const Specification element{specification.name, element_of(specification.type), {}, specification.about};
  for (size_t i = 0; i < value.size(); ++i) {
    if (problem_with_one(element, value[i])) return i;
  }
  return std::nullopt;
}

std::optional<std::string> problem_with(const Specification& specification, const Value& value) {
  if (!is_list(specification.type) || !value.is_array()) return problem_with_one(specification, value);
  const auto at = faulty_element(specification, value);
  if (!at) return std::nullopt;
  const Specification element{specification.name, element_of(specification.type), {}, specification.about};
  return "has an element that " + *problem_with_one(element, value[*at]);
}

Value normalised(const Specification& specification, const Value& value) {
  const Type type = specification.type;
  if ((type == Type::number || type == Type::number_or_word) && value.is_number_integer()) return value.get<double>();
  if (type == Type::numbers) return value.get<std::vector<double>>();
  if (value.is_number_unsigned()) return value.get<int64_t>();
  return value;
}

// NOLINTBEGIN(bugprone-macro-parentheses): a type takes none
#define PENSTOCK_PARAMETER_TYPE(CppType, type_name)                                                      \
  void SpecificationCollector::operator()(const std::string& name, CppType& value, const About& about) { \
    specifications.push_back({name, Type::type_name, value_of(value), about});                           \
  }                                                                                                      \
  void ParameterReader::operator()(const std::string& name, CppType& value, const About&) {              \
    read(values_, name, value);                                                                          \
  }
// NOLINTEND(bugprone-macro-parentheses)

PENSTOCK_PARAMETER_TYPE(bool, boolean)
PENSTOCK_PARAMETER_TYPE(int64_t, integer)
PENSTOCK_PARAMETER_TYPE(double, number)
PENSTOCK_PARAMETER_TYPE(std::string, word)
PENSTOCK_PARAMETER_TYPE(IntegerOrWord, integer_or_word)
PENSTOCK_PARAMETER_TYPE(NumberOrWord, number_or_word)
PENSTOCK_PARAMETER_TYPE(std::vector<std::string>, words)
PENSTOCK_PARAMETER_TYPE(std::vector<int64_t>, integers)
PENSTOCK_PARAMETER_TYPE(std::vector<double>, numbers)
#undef PENSTOCK_PARAMETER_TYPE

}  // namespace penstock::pipeline
