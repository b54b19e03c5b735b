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
  // grows. Throws Error(usage) for a key that no run has.
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

  std::vector<Condition> conditions_;
  int part_ = 1;
  int parts_ = 1;
};

}  // namespace penstock::pipeline
