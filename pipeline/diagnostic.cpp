#include "pipeline/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::pipeline {

std::string to_string(const Position& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"E101", "the file is not TOML"},
      {"E102", "a key or table that the configuration does not know"},
      {"E103", "a value of another type than the key takes"},
      {"E104", "something that must be there is missing"},
      {"E105", "the schema number is not one this version reads"},
      {"E106", "the base of `extends` cannot be read, or extends another"},
      {"E201", "there is no stage kind of this name"},
      {"E202", "a parameter's value has the wrong type or lies outside its range"},
      {"E203", "the stage kind has no parameter of this name"},
      {"E204", "parameters that are each legal do not fit together"},
      {"E205", "an override (--set, --input, environment) that cannot be applied"},
      {"E206", "a reserved key that does nothing in this version"},
      {"E301", "an input names a stage that does not exist"},
      {"E302", "an input or output port that the stage kind does not have"},
      {"E303", "a required input is missing"},
      {"E304", "stages that need each other in a circle"},
      {"E305", "a target that is no stage"},
      {"E306", "an input with several sources where the port takes one"},
      {"E401", "a matrix key that is no parameter of a stage"},
      {"E402", "a matrix value that the parameter does not take"},
      {"E403", "an exclude that removes no run"},
      {"E404", "a matrix that gives no run, or a run twice"},
      {"E405", "columns of a zip that differ in length"},
  };
  return all;
}

void Diagnostics::add_source(const std::string& file, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) sources_[file].push_back(line);
}

void Diagnostics::error(std::string_view code, const Position& position, const std::string& sentence, size_t length) {
  PENSTOCK_CHECK(std::any_of(rules().begin(), rules().end(), [code](const Rule& rule) { return rule.code == code; }),
                 "an error's code is in the table of rules");
  found_.push_back({position, fmt::format("error[{}]: {}", code, sentence), std::max<size_t>(1, length)});
}

std::string Diagnostics::told(const Problem& problem) const {
  std::string text = fmt::format("{}: {}\n", to_string(problem.position), problem.text);
  const auto source = sources_.find(problem.position.file);
  const auto line = static_cast<size_t>(problem.position.line);
  if (source == sources_.end() || line == 0 || line > source->second.size()) return text;
  const std::string& shown = source->second[line - 1];
  const size_t column = std::max(1, problem.position.column);
  const size_t room = shown.size() >= column ? shown.size() - column + 1 : 1;
  text += fmt::format("{:5} | {}\n      | {}^{}\n", line, shown, std::string(column - 1, ' '),
                      std::string(std::min(problem.length, room) - 1, '~'));
  return text;
}

void Diagnostics::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<Problem> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
  });
  std::string text;
  std::set<std::string> seen;  // a stage in many runs has its fault once
  for (const Problem& problem : sorted) {
    const std::string one = told(problem);
    if (seen.insert(one).second) text += one;
  }
  if (seen.size() > 1) text += fmt::format("{} errors\n", seen.size());
  text.pop_back();
  throw Error(ExitCode::config, text);
}

}  // namespace penstock::pipeline
