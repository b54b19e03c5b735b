#include "stages/training/name_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {

void no_such_row(std::string_view table, std::string_view name, const std::vector<std::string>& known) {
  check_failed(__FILE__, __LINE__, "the name is in the table",
               fmt::format("there is no {} '{}'; known are {}", table, name, fmt::join(known, ", ")));
}

void require_known(std::string_view table, const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  throw Error(ExitCode::data, fmt::format("{} '{}' is not known to this version of penstock; known are {}", table, name,
                                          fmt::join(known, ", ")));
}

void require_new_row(std::string_view table, const std::string& name, const std::vector<std::string>& known) {
  PENSTOCK_CHECK(!name.empty() && std::find(known.begin(), known.end(), name) == known.end(),
                 fmt::format("a new {} has a name of its own, not '{}'", table, name));
}

}  // namespace penstock::stages
