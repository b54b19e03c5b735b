#include "stages/packs/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

std::string quoted(const std::string& field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string text = "\"";
  for (const char c : field) text += c == '"' ? "\"\"" : std::string(1, c);
  return text + "\"";
}

// The content of a field whose opening quote was read; takes the closing one off too.
std::string take_quoted(std::string_view& rest) {
  std::string field;
  for (;;) {
    const size_t quote = rest.find('"');
    if (quote == std::string_view::npos) throw Error(ExitCode::data, "a quote (\") is not closed");
    field += rest.substr(0, quote);
    rest.remove_prefix(quote + 1);
    if (!rest.starts_with('"')) return field;
    field += '"';
    rest.remove_prefix(1);
  }
}

}  // namespace

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) line += (i == 0 ? "" : ",") + quoted(fields[i]);
  return line + "\n";
}

CsvTable::CsvTable(const std::vector<std::string>& columns) : columns_(columns.size()) {
  PENSTOCK_CHECK(!columns.empty(), "a table has a column");
  text_ += csv_line(columns);
}

void CsvTable::add(const std::vector<std::string>& fields) {
  PENSTOCK_CHECK(fields.size() == columns_,
                 fmt::format("a row has a field for each of {} columns; it has {}", columns_, fields.size()));
  text_ += csv_line(fields);
}

std::optional<std::vector<std::string>> next_csv_row(std::string_view& rest) {
  if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
  if (rest.empty()) return std::nullopt;
  std::vector<std::string> fields;
  for (;;) {
    std::string field;
    if (rest.starts_with('"')) {
      rest.remove_prefix(1);
      field = take_quoted(rest);
    }
    const size_t end = std::min(rest.find_first_of(",\n"), rest.size());
    field += rest.substr(0, end);
    const bool more = end < rest.size() && rest[end] == ',';
    if (!more && end > 0 && rest[end - 1] == '\r') field.pop_back();
    rest.remove_prefix(std::min(end + 1, rest.size()));
    fields.push_back(std::move(field));
    if (!more) return fields;
  }
}

}  // namespace penstock::stages
