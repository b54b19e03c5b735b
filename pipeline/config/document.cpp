#include "pipeline/config/document.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <sstream>

#include "pipeline/config/syntax_error.h"

namespace penstock::pipeline {
namespace {

Position place(const toml::source_region& region, const std::string& file) {
  const bool one_line = region.begin.line == region.end.line && region.begin.column < region.end.column;
  const int length = one_line                              ? static_cast<int>(region.end.column - region.begin.column)
                     : region.begin.line < region.end.line ? INT16_MAX
                                                           : 1;
  return {file, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column), length};
}

// No configuration is nested as deep; what reads and frees a tree calls itself once a level.
constexpr int most_depth = 32;

struct TooDeep {
  Position position;
};

// Where a key of more than most_depth parts ("a.b.c") begins its last; the parser makes a table of each, without a
// limit. Text within quotes is no key's dots.
std::optional<Position> overlong_key(std::string_view text, const std::string& file) {
  Position at{file, 1, 0};
  int dots = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    ++at.column;
    if (c == '"' || c == '\'') {
      const bool is_long = text.substr(i, 3) == std::string(3, c);
      const std::string end(is_long ? 3 : 1, c);
      for (i += end.size(); i < text.size() && text.substr(i, end.size()) != end; ++i) {
        if (text[i] == '\n' && !is_long) break;
        if (text[i] == '\n') ++at.line;
        if (text[i] == '\\' && c == '"') ++i;
      }
      i += end.size() - 1;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '.') {
      if (++dots >= most_depth) return at;
    } else if (c == '\n') {
      ++at.line;
      at.column = dots = 0;
    } else if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' && c != ' ' && c != '\t') {
      dots = 0;
    }
  }
  return std::nullopt;
}

Tree convert(const toml::node& node, const std::string& file, int depth);

Tree convert_table(const toml::table& table, const std::string& file, int depth) {
  Tree tree;
  tree.is_table = true;
  for (const auto& [key, node] : table) {
    Member member{std::string(key.str()), place(key.source(), file), convert(node, file, depth + 1)};
    tree.members.push_back(std::move(member));
  }
  // toml++ keeps tables sorted by name; people wrote them in an order.
  std::stable_sort(tree.members.begin(), tree.members.end(), [](const Member& a, const Member& b) {
    return std::tie(a.position.line, a.position.column) < std::tie(b.position.line, b.position.column);
  });
  return tree;
}

Tree convert(const toml::node& node, const std::string& file, int depth) {
  if (depth > most_depth) throw TooDeep{place(node.source(), file)};
  Tree tree;
  if (const auto* table = node.as_table()) {
    tree = convert_table(*table, file, depth);
  } else if (const auto* array = node.as_array()) {
    tree.value = Value::array();
    for (const auto& element : *array) {
      tree.elements.push_back(convert(element, file, depth + 1));
      tree.value.push_back(tree.elements.back().value);
    }
  } else if (const auto* text = node.as_string()) {
    tree.value = text->get();
  } else if (const auto* integer = node.as_integer()) {
    tree.value = integer->get();
  } else if (const auto* number = node.as_floating_point()) {
    tree.value = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    tree.value = boolean->get();
  } else {
    std::ostringstream written;  // dates and times have no place in a configuration: kept as text
    node.visit([&](const auto& other) {
      if constexpr (toml::is_value<decltype(other)>) written << other.get();
    });
    tree.value = written.str();
  }
  tree.position = place(node.source(), file);
  return tree;
}

}  // namespace

const Member* Tree::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(), [key](const Member& one) { return one.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::optional<Tree> parse_document(const std::string& text, const std::string& file, Diagnostics& diagnostics) {
  const auto refuse_depth = [&](const Position& where) {
    diagnostics.error("E101", where, fmt::format("keys, tables and lists are nested more than {} deep", most_depth));
    return std::nullopt;
  };
  if (const auto where = overlong_key(text, file)) return refuse_depth(*where);
  try {
    return convert_table(toml::parse(text, file), file, 0);
  } catch (const TooDeep& found) {
    return refuse_depth(found.position);
  } catch (const toml::parse_error& error) {
    const SyntaxError problem = explained(text, place(error.source(), file), error.description());
    diagnostics.error("E101", problem.position, problem.sentence, problem.notes);
    return std::nullopt;
  }
}

std::optional<Value> parse_value(const std::string& text) {
  if (overlong_key(text, "")) return std::nullopt;
  try {
    const toml::table table = toml::parse("value = " + text);
    if (table.size() == 1) return convert(*table.get("value"), "", 0).value;
    return std::nullopt;
  } catch (const TooDeep&) {
    return std::nullopt;
  } catch (const toml::parse_error&) {
    const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '-' || c == '.';
    });
    return bare ? std::optional<Value>(text) : std::nullopt;
  }
}

Tree laid_over(const Tree& base, const Tree& over) {
  if (!base.is_table || !over.is_table) return over;
  Tree merged = base;
  merged.position = over.position;
  for (const Member& member : over.members) {
    const auto known = std::find_if(merged.members.begin(), merged.members.end(),
                                    [&](const Member& one) { return one.key == member.key; });
    if (known == merged.members.end()) {
      merged.members.push_back(member);
    } else {
      *known = {member.key, member.position, laid_over(known->tree, member.tree)};
    }
  }
  return merged;
}

}  // namespace penstock::pipeline
