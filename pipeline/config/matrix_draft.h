// [matrix] as it is written, every name and value checked, before any run is made of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/config/draft.h"

namespace penstock::pipeline {

// "stage.param" -> value, in the order they were written.
using Assignment = std::vector<std::pair<std::string, Value>>;
// Two assignments are equal when their texts are. The text leaves out the key `without`.
std::string text_of(const Assignment& assignment, std::string_view without = "");

// Numbers that an axis is drawn from.
struct Range {
  bool logarithmic = false;
  bool integer = false;  // gives integers, low and high included
  double low = 0, high = 0;
};

// What multiplies: an axis, or the rows of a zip.
struct Factor {
  std::string name;  // "train.lr"; a zip has the names of its columns: "train.lr, train.loss"
  Position position;
  std::vector<Assignment> rows;  // what each row sets: one parameter, or a zip's columns
  std::optional<Range> range;    // instead of rows
};

struct Condition {
  Assignment values;
  Position position;
};

struct ConditionalSet {
  Condition when;
  Assignment changes;
};

struct Sampling {
  int64_t n = 1;
  int64_t seed = 0;
  Position n_position;
};

struct MatrixDraft {
  std::vector<Factor> factors;  // axes, then zips, as written
  std::vector<Condition> excludes;
  std::vector<Condition> includes;
  std::vector<ConditionalSet> sets;
  std::optional<Sampling> sample;
  std::optional<Factor> seeds;
  int64_t max_runs = 1000;
  Position max_runs_position;

  bool faulty = false;                                 // something was reported: expanding it would only echo that
  std::vector<std::pair<std::string, Position>> axes;  // every parameter that factors and seeds vary, and where
  std::map<std::string, Position> places;              // of a value "train.lr=0.001"; of a parameter "train.lr"

  // Where the matrix gives `parameter` this value; nullopt when it never does.
  std::optional<Position> place_of(const std::string& parameter, const Value& value) const;
};

// Without a [matrix]: nothing in it.
MatrixDraft read_matrix(const Draft& draft, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
