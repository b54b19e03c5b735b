// Takes values out of a table of a configuration by its grammar. What does not fit is reported and reads as not given.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/syntax/document.h"
#include "pipeline/syntax/grammar.h"

namespace penstock::pipeline {

class TableReader {
 public:
  // All outlive the reader but `heading`: how the table is headed in a file ("matrix", "stage.train"), for advice.
  TableReader(const Tree& tree, const Keys& keys, Diagnostics& diagnostics, std::string heading = "")
      : tree_(tree), keys_(keys), diagnostics_(diagnostics), heading_(std::move(heading)) {}

  // Reports each key that the grammar lacks, with the nearest that it has.
  void refuse_unknown_keys() const;
  // Reports each required key that is missing; `place` is where the table is named. True when none is.
  bool requires_its_keys(const Position& place) const;

  std::optional<std::string> text(const std::string& key) const;
  std::optional<int64_t> integer(const std::string& key) const;
  std::optional<bool> boolean(const std::string& key) const;
  std::vector<std::pair<std::string, Position>> words(const std::string& key) const;
  const Member* table(const std::string& key) const;              // nullptr: not given, or no table
  std::vector<const Tree*> tables(const std::string& key) const;  // of a list of tables
  const Member* given(const std::string& key) const { return tree_.find(key); }

 private:
  const Member* checked(const std::string& key) const;
  std::string full(const std::string& key) const;

  const Tree& tree_;
  const Keys& keys_;
  Diagnostics& diagnostics_;
  std::string heading_;
};

// Reports `key` as one that `where` lacks.
void report_unknown_key(const Member& member, const std::string& where, const std::vector<std::string>& names,
                        Diagnostics& diagnostics);

}  // namespace penstock::pipeline
