// Reports what is wrong with a matrix as a whole: too many runs, none, or conditions that no run meets, each with the
// reason and with the place to look at. Used by expand_matrix alone, which decides that something is wrong; nothing
// here changes what is expanded.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/config/matrix_draft.h"

namespace penstock::pipeline {

// Different values, in the order they came.
class DistinctValues {
 public:
  void add(const Value& value) {
    if (texts_.insert(value.dump()).second) values_.push_back(value);
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::set<std::string> texts_;
  std::vector<Value> values_;
};

class MatrixDiagnosis {
 public:
  // The values that a parameter takes in the runs.
  using ValuesTaken = std::function<std::vector<Value>(const std::string& parameter)>;

  MatrixDiagnosis(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics)
      : draft_(draft), matrix_(matrix), diagnostics_(diagnostics) {}

  void unknown_keys();  // of [matrix]
  void no_run(const std::string& reason);
  // `before`: combinations before excludes, of which `excluded` were removed.
  void too_many_runs(uint64_t before, uint64_t excluded);
  // Excludes look at each combination; `most` is how many they may.
  void too_many_to_look_through(uint64_t before, uint64_t most);
  void sample_exceeds(uint64_t different);
  void sample_repeats(int64_t draws, size_t different);
  // An exclude that removes nothing; `taker` is another that removed what it matches, or nullptr.
  void idle_exclude(const Condition& exclude, const Condition* taker, uint64_t before);
  void idle_set(const ConditionalSet& set, uint64_t runs, const ValuesTaken& taken);

  // What axes and zips give a parameter.
  DistinctValues values_given(const std::string& parameter) const;

 private:
  std::string product_of(uint64_t before) const;
  std::vector<Note> widest() const;
  void idle(const Condition& condition, const char* what, uint64_t runs, const ValuesTaken& taken);
  std::string why_never(const std::string& parameter, const Value& value, const ValuesTaken& taken) const;
  const Factor* zip_of(const Assignment& values) const;
  bool is_drawn(const std::string& parameter) const;
  std::vector<Note> note_on(const std::string& parameter) const;

  const Draft& draft_;
  const MatrixDraft& matrix_;
  Diagnostics& diagnostics_;
};

}  // namespace penstock::pipeline
