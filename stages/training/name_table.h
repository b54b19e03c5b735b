// Tables whose rows a parameter names: losses, norms, optimisers, schedules ... A row has a `name` and a `help`; the
// parameter's choices and its text in configs/REFERENCE.md come from the table, so a new choice is a new row. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

// Fails a check (exit code 70). A user's misspelling never comes this far: configurations are checked against
// names_of().
[[noreturn]] void no_such_row(std::string_view table, std::string_view name, const std::vector<std::string>& known);

// For names from outside, as a model's: throws Error(data) with the known ones where `name` is none of them.
void require_known(std::string_view table, const std::string& name, const std::vector<std::string>& known);

template <typename Row>
std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

// The row of that name; `table` says in one word what the rows are: "loss".
template <typename Row>
const Row& row_of(const std::vector<Row>& rows, std::string_view table, std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return row;
  }
  no_such_row(table, name, names_of(rows));
}

// "batch (over one micro-batch), group (over 8 channels of a sample)", for a parameter's help.
template <typename Row>
std::string help_of(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.name) + " (" + row.help + ")";
  return text;
}

}  // namespace penstock::stages
