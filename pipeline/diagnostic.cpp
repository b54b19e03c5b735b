#include "pipeline/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "distributed/check.h"
#include "pipeline/error_index.h"

namespace penstock::pipeline {

std::string to_string(const Position& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

void Diagnostics::add_source(const std::string& file, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) sources_[file].push_back(line);
}

void Diagnostics::error(std::string_view code, const Position& position, const std::string& sentence, size_t length, const std::vector<Note>& notes) {
  PENSTOCK_CHECK(find_rule(code) != nullptr, "an error's code is in the table of rules");
  found_.push_back({std::string(code), position, sentence, std::max<size_t>(1, length), notes});
}

// The source line with a caret under the place, or nothing where there is no line.
std::string Diagnostics::shown(const Position& position, size_t length) const {
  const auto source = sources_.find(position.file);
  const auto line = static_cast<size_t>(position.line);
  if (source == sources_.end() || line == 0 || line > source->second.size()) return "";
  const std::string& text = source->second[line - 1];
  const size_t column = std::max(1, position.column);
  const size_t room = text.size() >= column ? text.size() - column + 1 : 1;
  return fmt::format("{:5} | {}\n      | {}^{}\n", line, text, std::string(column - 1, ' '), std::string(std::min(length, room) - 1, '~'));
}

std::string Diagnostics::told(const Diagnostic& problem) const {
  std::string text = fmt::format("{}: error[{}]: {}\n{}", to_string(problem.position), problem.code, problem.sentence,
                                 shown(problem.position, problem.length));
  for (const Note& note : problem.notes) text += fmt::format("{}: note: {}\n{}", to_string(note.position), note.text, shown(note.position, 1));
  return text;
}

void Diagnostics::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<Diagnostic> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
  });
  std::string text;
  std::set<std::string> seen;  // a stage in many runs has its fault once
  std::vector<Diagnostic> different;
  for (Diagnostic& problem : sorted) {
    const std::string one = told(problem);
    if (!seen.insert(one).second) continue;
    text += one;
    different.push_back(std::move(problem));
  }
  if (different.size() > 1) text += fmt::format("{} errors\n", different.size());
  text.pop_back();
  throw ConfigError(text, std::move(different));
}

}  // namespace penstock::pipeline
