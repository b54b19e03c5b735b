// Some of a matrix's runs: `--select 'train.lr<=3e-4, train.seed=11'` and `--part 2/4`.
#pragma once

#include <string>
#include <vector>

#include "pipeline/graph.h"

namespace penstock::pipeline {

class RunFilter {
 public:
  // `select`: conditions KEY OP VALUE joined by commas, all of which must hold; KEY is stage.param or `run` (a prefix
  // of the id), OP one of = != < <= > >=, VALUE a TOML value. `part`: "i/n", 1 <= i <= n. Either may be empty. Throws
  // Error(usage).
  static RunFilter parse(const std::string& select, const std::string& part);

  bool selects() const { return !conditions_.empty(); }
  bool takes_all() const { return conditions_.empty() && parts_ == 1; }

  // Of each run, whether it is taken. A part is decided by the run's id alone, so it stays the same when the matrix
  // grows: it may be empty. Throws Error(usage) for a key that no run has, for conditions that no run meets (with the
  // values that there are), and for an empty part of fewer runs than parts.
  std::vector<bool> apply(const Graph& graph) const;

 private:
  enum class Comparison { equal, unequal, less, at_most, more, at_least };
  struct Condition {
    std::string key;
    Comparison comparison;
    Value value;
    bool holds(const Value& actual) const;
  };
  static Condition parse_condition(const std::string& text);
  static Value value_in(const Graph& graph, size_t run, const std::string& key);
  [[noreturn]] void refuse_conditions(const Graph& graph) const;
  void take_part(const Graph& graph, std::vector<bool>& taken) const;

  std::vector<Condition> conditions_;
  std::string select_;  // as given, for messages
  int part_ = 1;
  int parts_ = 1;
};

}  // namespace penstock::pipeline
