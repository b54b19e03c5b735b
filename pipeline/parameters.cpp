#include "pipeline/parameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "distributed/check.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

bool takes_words(Type type) {
  return type == Type::word || type == Type::integer_or_word || type == Type::number_or_word || type == Type::words;
}
bool is_list(Type type) { return type == Type::words || type == Type::integers || type == Type::numbers; }

// The type of a list's elements.
Type element_of(Type type) {
  if (type == Type::words) return Type::word;
  return type == Type::integers ? Type::integer : Type::number;
}

std::string kind_of(const Value& value) {
  if (value.is_boolean()) return "a boolean";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "text";
  if (value.is_array()) return "a list";
  return "a table";
}

bool type_fits(Type type, const Value& value) {
  switch (type) {
    case Type::boolean: return value.is_boolean();
    case Type::integer: return value.is_number_integer();
    case Type::number: return value.is_number();
    case Type::word: return value.is_string();
    case Type::integer_or_word: return value.is_number_integer() || value.is_string();
    case Type::number_or_word: return value.is_number() || value.is_string();
    case Type::words:
    case Type::integers:
    case Type::numbers:
      return value.is_array() && std::all_of(value.begin(), value.end(),
                                             [&](const Value& one) { return type_fits(element_of(type), one); });
  }
  return false;
}

std::optional<std::string> problem_with_one(const About& about, const Value& value) {
  if (value.is_number()) {
    const double number = value.get<double>();
    if (number != number) return "must be a number, is nan";
    if (about.minimum && number < *about.minimum) return fmt::format("must be at least {}, is {}", *about.minimum, value.dump());
    if (about.maximum && number > *about.maximum) return fmt::format("must be at most {}, is {}", *about.maximum, value.dump());
  }
  if (value.is_string() && !about.choices.empty()) {
    const std::string word = value.get<std::string>();
    if (std::find(about.choices.begin(), about.choices.end(), word) == about.choices.end()) {
      return fmt::format("must be one of {}, is '{}'{}", fmt::join(about.choices, ", "), word, did_you_mean(word, about.choices));
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
    case Type::boolean: return "boolean";
    case Type::integer: return "integer";
    case Type::number: return "number";
    case Type::word: return "word";
    case Type::integer_or_word: return "integer or word";
    case Type::number_or_word: return "number or word";
    case Type::words: return "list of words";
    case Type::integers: return "list of integers";
    case Type::numbers: return "list of numbers";
  }
  return "";
}

std::optional<std::string> problem_with(const Specification& specification, const Value& value) {
  const Type type = specification.type;
  if (!type_fits(type, value)) {
    const std::string choices =
        takes_words(type) && !specification.about.choices.empty() ? fmt::format(" ({})", fmt::join(specification.about.choices, ", ")) : "";
    return fmt::format("must be {} {}{}, is {}", type == Type::integer || type == Type::integer_or_word ? "an" : "a", name_of(type),
                       choices, kind_of(value));
  }
  if (!is_list(type)) return problem_with_one(specification.about, value);
  for (const Value& one : value) {
    if (auto problem = problem_with_one(specification.about, one)) return "has an element that " + *problem;
  }
  return std::nullopt;
}

Value normalised(const Specification& specification, const Value& value) {
  const Type type = specification.type;
  if ((type == Type::number || type == Type::number_or_word) && value.is_number_integer()) return value.get<double>();
  if (type == Type::numbers) return value.get<std::vector<double>>();
  if (value.is_number_unsigned()) return value.get<int64_t>();
  return value;
}

#define PENSTOCK_PARAMETER_TYPE(CppType, type_name)                                                                   \
  void SpecificationCollector::operator()(const std::string& name, CppType& value, const About& about) {              \
    specifications.push_back({name, Type::type_name, value_of(value), about});                                        \
  }                                                                                                                   \
  void ParameterReader::operator()(const std::string& name, CppType& value, const About&) { read(values_, name, value); }

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
