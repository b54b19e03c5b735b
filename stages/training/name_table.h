// Tables whose rows a parameter names: losses, norms, optimisers, schedules ... A row has a `name` and a `help`; the
// parameter's choices and its text in configs/REFERENCE.md come from the table, so a new choice is a new row. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::stages {

// Fails a check (exit code 70). A user's misspelling never comes this far: configurations are checked against
// names_of().
[[noreturn]] void no_such_row(std::string_view table, std::string_view name, const std::vector<std::string>& known);

// For names from outside, as a model's: throws Error(data) with the known ones where `name` is none of them.
void require_known(std::string_view table, const std::string& name, const std::vector<std::string>& known);

// Fails a check where a row of that name stands in the table already, or the name is empty.
void require_new_row(std::string_view table, const std::string& name, const std::vector<std::string>& known);

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

// A table to which a user's own program adds rows (compute/extensions.h), before anything else reads it: one thread, at
// the program's start.
template <typename Row>
class OpenTable {
 public:
  // `what`: as of row_of().
  OpenTable(std::string_view what, std::vector<Row> rows) : what_(what), rows_(std::move(rows)) {}

  const std::vector<Row>& rows() const { return rows_; }
  void add(Row row) {
    require_new_row(what_, row.name, names_of(rows_));
    rows_.push_back(std::move(row));
  }

 private:
  std::string_view what_;
  std::vector<Row> rows_;
};

// "batch (over one micro-batch), group (over 8 channels of a sample)", for a parameter's help.
template <typename Row>
std::string help_of(const std::vector<Row>& rows) {
  std::string text;
  for (const Row& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.name) + " (" + row.help + ")";
  return text;
}

}  // namespace penstock::stages
