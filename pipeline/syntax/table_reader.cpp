#include "pipeline/syntax/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipeline/suggestion.h"

namespace penstock::pipeline {

void report_unknown_key(const Member& member, const std::string& where, const std::vector<std::string>& names,
                        Diagnostics& diagnostics) {
  diagnostics.error("E102", member.position,
                    fmt::format("{} has no key '{}'{}", where, member.key, instead_of(member.key, names, "it takes")));
}

void TableReader::refuse_unknown_keys() const {
  const std::vector<std::string> names = keys_.names();
  for (const Member& member : tree_.members) {
    if (std::find(names.begin(), names.end(), member.key) == names.end())
      report_unknown_key(member, keys_.where, names, diagnostics_);
  }
}

bool TableReader::requires_its_keys(const Position& place) const {
  const std::vector<std::string> names = keys_.names();
  bool all = true;
  for (const Key& key : keys_.keys) {
    if (!key.required || tree_.find(key.name) != nullptr) continue;
    all = false;
    const bool misspelt = std::any_of(tree_.members.begin(), tree_.members.end(),
                                      [&](const Member& one) { return nearest_name(one.key, names) == key.name; });
    if (misspelt) continue;  // reported as misspelt
    diagnostics_.error("E104", place, fmt::format("{} lacks '{}': {}", keys_.where, key.name, key.about.help));
  }
  return all;
}

// The member when it is given and its value is legal.
const Member* TableReader::checked(const std::string& key) const {
  const Key& known = keys_.at(key);
  const Member* member = tree_.find(key);
  if (member == nullptr) return nullptr;
  const Value& value = member->tree.value;
  const auto problem = problem_with({key, *known.type, {}, known.about}, value);
  if (!problem) return member;
  diagnostics_.error(fits(*known.type, value) ? "E202" : "E103", member->tree.position,
                     fmt::format("'{}' {}", key, *problem));
  return nullptr;
}

std::optional<std::string> TableReader::text(const std::string& key) const {
  const Member* member = checked(key);
  return member ? std::optional(member->tree.value.get<std::string>()) : std::nullopt;
}

std::optional<int64_t> TableReader::integer(const std::string& key) const {
  const Member* member = checked(key);
  return member ? std::optional(member->tree.value.get<int64_t>()) : std::nullopt;
}

std::optional<bool> TableReader::boolean(const std::string& key) const {
  const Member* member = checked(key);
  return member ? std::optional(member->tree.value.get<bool>()) : std::nullopt;
}

std::vector<std::pair<std::string, Position>> TableReader::words(const std::string& key) const {
  std::vector<std::pair<std::string, Position>> found;
  const Member* member = checked(key);
  if (member == nullptr) return found;
  for (const Tree& element : member->tree.elements)
    found.emplace_back(element.value.get<std::string>(), element.position);
  return found;
}

const Member* TableReader::table(const std::string& key) const {
  const Member* member = tree_.find(key);
  if (member == nullptr || member->tree.is_table) return member;
  const bool listed = std::any_of(member->tree.elements.begin(), member->tree.elements.end(),
                                  [](const Tree& one) { return one.is_table; });
  diagnostics_.error(
      "E103", member->position,
      listed ? fmt::format("'{}' is not a list of tables: write [{}]", key, full(key))
             : fmt::format("'{}' must be a table, is {}: write [{}]", key, as_read(member->tree.value), full(key)));
  return nullptr;
}

std::vector<const Tree*> TableReader::tables(const std::string& key) const {
  std::vector<const Tree*> found;
  const Member* member = tree_.find(key);
  if (member == nullptr) return found;
  if (!member->tree.value.is_array()) {
    diagnostics_.error("E103", member->position, fmt::format("'{}' is a list of tables: write [[{}]]", key, full(key)));
    return found;
  }
  for (const Tree& element : member->tree.elements) {
    if (element.is_table) {
      found.push_back(&element);
    } else {
      diagnostics_.error("E103", element.position,
                         fmt::format("'{}' is a list of tables, and holds {}", key, as_read(element.value)));
    }
  }
  return found;
}

// How the key's own table is headed: "matrix.zip" for a key of [matrix].
std::string TableReader::full(const std::string& key) const {
  if (keys_.at(key).form == "table of tables") return key + ".NAME";
  return heading_.empty() ? key : heading_ + "." + key;
}

}  // namespace penstock::pipeline
