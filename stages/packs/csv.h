// Tables as comma-separated values: every CSV file that a stage writes or reads goes through here.
//
// RFC 4180 with lines that end in "\n": a field that holds a comma, a quote or a line break stands in quotes, and a
// quote in it is doubled, so that a file's name, whatever is in it, stays one field of one row.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

// One row, with the line break that ends it.
std::string csv_line(const std::vector<std::string>& fields);

// Rows are added from one thread.
class CsvTable {
 public:
  explicit CsvTable(const std::vector<std::string>& columns);
  void add(const std::vector<std::string>& fields);  // one for each column
  const std::string& text() const { return text_; }  // the header and all rows added so far

 private:
  size_t columns_;
  std::string text_;
};

// Takes the next row off `rest`; nullopt at its end. Reads both "\n" and "\r\n", and passes over a byte order mark. An
// empty line is a row of one empty field. Throws Error(data) for quotes that are not closed; the caller names the file.
std::optional<std::vector<std::string>> next_csv_row(std::string_view& rest);

}  // namespace penstock::stages
