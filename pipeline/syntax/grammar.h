// The keys of a configuration that belong to no stage kind: of the file, [pipeline], every stage, [matrix]. What reads
// a file (table_reader.h), describes it to an editor (json_schema.h) and lists it (reference.h) uses these tables, so
// that the three cannot differ.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/parameters.h"

namespace penstock::pipeline {

struct Key {
  std::string name;
  std::optional<Type> type = {};  // of a plain value; nullopt: `form` says what it is
  std::string form = {};          // "table", "list of tables", ...
  Value fallback = {};            // null: there is none
  About about = {};
  bool required = false;
};

// A table of the grammar.
struct Keys {
  std::string where;  // as a message names it: "[pipeline]", "an input"
  std::vector<Key> keys;

  const Key& at(std::string_view name) const;  // a programmer's mistake when there is none
  std::vector<std::string> names() const;
};

const Keys& file_keys();
const Keys& pipeline_keys();
const Keys& stage_keys();      // the reserved ones; all else of a stage's table are its kind's parameters
const Keys& resources_keys();  // of a stage
const Keys& source_keys();     // of an input that is written as a table
const Keys& matrix_keys();
const Keys& range_keys();  // of an axis that is drawn from
const Keys& set_keys();
const Keys& sample_keys();
const Keys& seeds_keys();
const Keys& early_stop_keys();

}  // namespace penstock::pipeline
