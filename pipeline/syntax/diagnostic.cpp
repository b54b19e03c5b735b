#include "pipeline/syntax/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "distributed/check.h"
#include "distributed/printable.h"
#include "pipeline/syntax/error_index.h"

namespace penstock::pipeline {

void Diagnostics::add_source(const std::string& file, const std::string& text) {
  std::vector<std::string>& kept = sources_[file];
  kept.clear();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    kept.push_back(line);
  }
  files_.push_back(file);
}

void Diagnostics::error(std::string_view code, const Position& position, const std::string& sentence,
                        const std::vector<Note>& notes) {
  PENSTOCK_CHECK(find_rule(code) != nullptr, "an error's code is in the table of rules");
  std::vector<Note> printable = notes;  // what is quoted may be any bytes
  for (Note& note : printable) note.text = distributed::printable_text(note.text);
  found_.push_back({std::string(code), position, distributed::printable_text(sentence), std::move(printable)});
}

// The source line with a caret under the place, or nothing where there is no line. Tabs stay tabs, so that the caret
// stands under its letter; of a very long line only the neighbourhood is shown.
std::string Diagnostics::shown(const Position& position) const {
  constexpr int widest = 160, lead = 60;
  const auto source = sources_.find(position.file);
  const auto line = static_cast<size_t>(position.line);
  if (source == sources_.end() || line == 0 || line > source->second.size()) return "";
  const int first = position.column > widest - lead ? position.column - lead : 1;
  std::string text = first > 1 ? "..." : "", before = first > 1 ? "   " : "", under;
  int column = 0;
  for (const char byte : source->second[line - 1]) {
    column += (byte & 0xC0) != 0x80;  // else inside a letter of several bytes
    if (column < first || column >= first + widest) continue;
    text += byte;
    if ((byte & 0xC0) == 0x80) continue;
    if (column < position.column) before += byte == '\t' ? '\t' : ' ';
    if (column > position.column && column < position.column + position.length) under += '~';
  }
  if (column >= first + widest) text += "...";
  return fmt::format("{:5} | {}\n      | {}^{}\n", line, distributed::printable_text(text), before, under);
}

std::string Diagnostics::text_of(const Diagnostic& problem) const {
  std::string text = fmt::format("{}: error[{}]: {}\n{}", to_string(problem.position), problem.code, problem.sentence,
                                 shown(problem.position));
  for (const Note& note : problem.notes)
    text += fmt::format("{}: note: {}\n{}", to_string(note.position), note.text, shown(note.position));
  return text;
}

int Diagnostics::place_of(const Position& position) const {
  if (position.line == 0) return -1;
  return static_cast<int>(std::find(files_.begin(), files_.end(), position.file) - files_.begin());
}

void Diagnostics::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<Diagnostic> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [this](const Diagnostic& a, const Diagnostic& b) {
    return std::tuple(place_of(a.position), a.position.line, a.position.column) <
           std::tuple(place_of(b.position), b.position.line, b.position.column);
  });
  std::string text;
  std::set<std::string> seen;  // a stage in many runs has its fault once
  std::vector<Diagnostic> different;
  for (Diagnostic& problem : sorted) {
    const std::string one = text_of(problem);
    if (!seen.insert(one).second) continue;
    text += one;
    different.push_back(std::move(problem));
  }
  if (different.size() > 1) text += fmt::format("{} errors\n", different.size());
  text.pop_back();
  throw ConfigError(text, std::move(different));
}

}  // namespace penstock::pipeline
