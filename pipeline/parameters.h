// Parameters of a stage kind: one struct with defaults, described once. The same description parses a file, checks
// types and ranges, fills the struct, makes the key, and prints the reference.
//
//   struct ResizeParameters {
//     int64_t width = 128;
//     void describe(ParameterVisitor& visit) {
//       visit("width", width, {.help = "width of a sample on the training grid, pixels", .minimum = 16, .maximum =
//       4096});
//     }
//   };
//   StageKind.parameters = specifications_of<ResizeParameters>();
//   auto parameters = read_parameters<ResizeParameters>(context.values);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/value.h"

namespace penstock::pipeline {

enum class Type {
  boolean,
  integer,
  number,           // an integer in the file is taken as a number
  word,             // any text, or one of `choices`
  integer_or_word,  // the word is one of `choices`: "auto"
  number_or_word,
  words,  // lists
  integers,
  numbers,
};

using IntegerOrWord = std::variant<int64_t, std::string>;
using NumberOrWord = std::variant<double, std::string>;

struct About {
  std::string help;                       // one sentence, with the unit
  std::optional<double> minimum = {};     // inclusive; of each element in a list
  std::optional<double> maximum = {};     // inclusive
  std::vector<std::string> choices = {};  // what a word may be; empty: any text
  bool affects_output = true;             // false: in neither key nor run id (checkpoint interval, caps, rates)
  // A parameter that was added after outputs existed names the value that means "as before": it is left out of the
  // key when equal, so that old outputs stay valid.
  std::optional<Value> as_before = {};
};

struct Specification {
  std::string name;
  Type type = Type::word;
  Value fallback;  // the default
  About about;
};

std::string_view name_of(Type type);  // "integer", "list of words"
bool fits(Type type, const Value& value);
std::string as_read(const Value& value);  // as a file has it, for a message: `"fast"`, `30.0`, `a list`

// What is wrong with `value` for this parameter, as the end of a sentence ("must be at least 16, is 3"): its type (and
// whether quotes are the reason), its range, or the word (with the nearest choice). nullopt when it is legal.
std::optional<std::string> problem_with(const Specification& specification, const Value& value);
// The element of a list that is at fault; nullopt when it is the list as a whole, or nothing.
std::optional<size_t> faulty_element(const Specification& specification, const Value& value);

// Converts a legal value to the parameter's own type: 1 for a number becomes 1.0.
Value normalised(const Specification& specification, const Value& value);

class ParameterVisitor {
 public:
  virtual ~ParameterVisitor() = default;
  virtual void operator()(const std::string& name, bool& value, const About& about) = 0;
  virtual void operator()(const std::string& name, int64_t& value, const About& about) = 0;
  virtual void operator()(const std::string& name, double& value, const About& about) = 0;
  virtual void operator()(const std::string& name, std::string& value, const About& about) = 0;
  virtual void operator()(const std::string& name, IntegerOrWord& value, const About& about) = 0;
  virtual void operator()(const std::string& name, NumberOrWord& value, const About& about) = 0;
  virtual void operator()(const std::string& name, std::vector<std::string>& value, const About& about) = 0;
  virtual void operator()(const std::string& name, std::vector<int64_t>& value, const About& about) = 0;
  virtual void operator()(const std::string& name, std::vector<double>& value, const About& about) = 0;
};

// Collects the specifications, with the struct's own values as defaults. Use specifications_of.
class SpecificationCollector final : public ParameterVisitor {
 public:
  std::vector<Specification> specifications;

  void operator()(const std::string& name, bool& value, const About& about) override;
  void operator()(const std::string& name, int64_t& value, const About& about) override;
  void operator()(const std::string& name, double& value, const About& about) override;
  void operator()(const std::string& name, std::string& value, const About& about) override;
  void operator()(const std::string& name, IntegerOrWord& value, const About& about) override;
  void operator()(const std::string& name, NumberOrWord& value, const About& about) override;
  void operator()(const std::string& name, std::vector<std::string>& value, const About& about) override;
  void operator()(const std::string& name, std::vector<int64_t>& value, const About& about) override;
  void operator()(const std::string& name, std::vector<double>& value, const About& about) override;
};

// Fills a struct from checked values; a missing one keeps its default. Use read_parameters.
class ParameterReader final : public ParameterVisitor {
 public:
  explicit ParameterReader(const Values& values) : values_(values) {}

  void operator()(const std::string& name, bool& value, const About& about) override;
  void operator()(const std::string& name, int64_t& value, const About& about) override;
  void operator()(const std::string& name, double& value, const About& about) override;
  void operator()(const std::string& name, std::string& value, const About& about) override;
  void operator()(const std::string& name, IntegerOrWord& value, const About& about) override;
  void operator()(const std::string& name, NumberOrWord& value, const About& about) override;
  void operator()(const std::string& name, std::vector<std::string>& value, const About& about) override;
  void operator()(const std::string& name, std::vector<int64_t>& value, const About& about) override;
  void operator()(const std::string& name, std::vector<double>& value, const About& about) override;

 private:
  const Values& values_;
};

template <typename Parameters>
std::vector<Specification> specifications_of() {
  Parameters parameters;
  SpecificationCollector collector;
  parameters.describe(collector);
  return collector.specifications;
}

template <typename Parameters>
Parameters read_parameters(const Values& values) {
  Parameters parameters;
  ParameterReader reader(values);
  parameters.describe(reader);
  return parameters;
}

}  // namespace penstock::pipeline
