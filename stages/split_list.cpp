#include "stages/split_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/packs/csv.h"

namespace penstock::stages {
namespace {

using Fields = std::vector<std::string>;

// Where id and subset stand in a line.
struct Columns {
  size_t id = 0, subset = 1, count = 2;
};

// Of a line that names columns.
std::optional<Columns> columns_named_by(const Fields& fields) {
  const auto place = [&](std::string_view name) {
    return static_cast<size_t>(std::find(fields.begin(), fields.end(), name) - fields.begin());
  };
  const Columns columns{std::min(place("id"), place("image_id")), place("subset"), fields.size()};
  if (columns.id == fields.size() || columns.subset == fields.size()) return std::nullopt;
  return columns;
}

class Reader {
 public:
  Reader(const std::filesystem::path& file, const std::vector<std::string>& labelled,
         const std::set<std::string>& left_out)
      : file_(file), known_(labelled.begin(), labelled.end()), left_out_(left_out) {}

  SplitList read() {
    const std::string text = pipeline::read_file(file_);
    for (std::string_view rest = text; !rest.empty();) {
      line_ = 1 + std::count(text.begin(), text.end() - static_cast<std::ptrdiff_t>(rest.size()), '\n');
      if (rest.starts_with('#')) {
        rest.remove_prefix(std::min(rest.size(), rest.find('\n')));
        rest.remove_prefix(rest.empty() ? 0 : 1);
      } else {
        take(next(rest));
      }
    }
    std::set_difference(known_.begin(), known_.end(), seen_.begin(), seen_.end(), std::back_inserter(list_.unlisted));
    return std::move(list_);
  }

 private:
  [[noreturn]] void refuse(const std::string& fault) const {
    throw Error(ExitCode::data, fmt::format("{}:{}: {}", file_.string(), line_, fault));
  }

  Fields next(std::string_view& rest) const {
    try {
      return next_csv_row(rest).value_or(Fields{""});
    } catch (const Error& error) {
      refuse(error.what());
    }
  }

  void take(const Fields& fields) {
    if (fields == Fields{""}) return;
    if (first_) {
      first_ = false;
      if (const auto named = columns_named_by(fields)) return name_columns(*named, fields);
    }
    // An id with commas, without quotes.
    if (columns_.count == 2 && columns_.id == 0 && fields.size() > 2)
      return add(fmt::format("{}", fmt::join(fields.begin(), fields.end() - 1, ",")), fields.back());
    if (fields.size() == 1) refuse("expected 'id,subset', read '" + fields.front() + "'");
    if (fields.size() != columns_.count)
      refuse(fmt::format("it has {} fields, the first line names {}", fields.size(), columns_.count));
    add(fields[columns_.id], fields[columns_.subset]);
  }

  void name_columns(const Columns& columns, const Fields& fields) {
    columns_ = columns;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i != columns.id && i != columns.subset) list_.unread.push_back(fields[i]);
    }
  }

  void add(const std::string& id, const std::string& subset) {
    if (subset != "train" && subset != "validation" && subset != "test")
      refuse("the subset '" + subset + "' is none of train, validation, test");
    if (!known_.contains(id) && !left_out_.contains(id)) refuse("there is no labelled sample '" + id + "'");
    if (!seen_.insert(id).second) refuse("the sample '" + id + "' is listed twice");
    if (known_.contains(id))
      list_.subsets[subset].push_back(id);
    else
      list_.left_out.push_back(id);
  }

  const std::filesystem::path& file_;
  const std::set<std::string> known_;
  const std::set<std::string>& left_out_;
  std::set<std::string> seen_;
  Columns columns_;
  bool first_ = true;  // no line was taken yet
  std::ptrdiff_t line_ = 0;
  SplitList list_;
};

}  // namespace

SplitList read_split_list(const std::filesystem::path& file, const std::vector<std::string>& labelled,
                          const std::set<std::string>& left_out) {
  return Reader(file, labelled, left_out).read();
}

}  // namespace penstock::stages
