// A TOML file as a tree with the place of every key and value, in source order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/syntax/diagnostic.h"
#include "pipeline/value.h"

namespace penstock::pipeline {

struct Member;

// A table, or a value. A list is a value too, and its elements are kept apart with their places.
// The JSON library's move tests its own state before it cannot throw: the check takes that for an exception.
struct Tree {  // NOLINT(bugprone-exception-escape)
  bool is_table = false;
  Value value;                  // of a scalar or a list of scalars; null for tables and lists that hold tables
  std::vector<Member> members;  // of a table
  std::vector<Tree> elements;   // of a list
  Position position;

  const Member* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Position position;  // of the key
  Tree tree;
};

// Parses TOML text; a syntax error is reported (E101) and gives nullopt.
std::optional<Tree> parse_document(const std::string& text, const std::string& file, Diagnostics& diagnostics);

// One TOML value, as after --set's equals sign; a bare word is text. nullopt when it is neither.
std::optional<Value> parse_value(const std::string& text);

// `over` laid over `base`: tables are merged, everything else is replaced.
Tree laid_over(const Tree& base, const Tree& over);

}  // namespace penstock::pipeline
