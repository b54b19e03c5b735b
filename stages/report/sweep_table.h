// The runs of a sweep side by side: parameters, metrics, state; seeds as replicates. For sweep.html and for launch's
// tables; pure functions.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

struct SweepRun {
  std::string id;
  std::vector<std::pair<std::string, pipeline::Value>> axes;  // "train.lr" -> value
  std::string state;                                          // "done", "failed", ...
  std::string detail;
  std::map<std::string, double> metrics;  // "validation.grid.micro.dice" -> value; empty before eval
};

// Mean and sample deviation (n - 1) over replicates.
struct Spread {
  double mean = 0;
  double deviation = 0;  // 0 for one
  size_t count = 0;
};

// Runs that agree in all axes but the seed.
struct SweepRow {
  std::vector<std::pair<std::string, pipeline::Value>> axes;
  std::vector<std::string> runs;          // ids
  std::map<std::string, size_t> states;   // "done" -> how many
  std::map<std::string, Spread> metrics;  // over the runs that have them
};

// Every number of metrics.json by its path.
std::map<std::string, double> flat_metrics(const pipeline::Value& metrics);

// The metric that a short name means: its words in the order of the path, the last one last ("test.dice" is
// "test.grid.micro.dice"); of several the shortest path, then one of shown_metrics(). Throws Error(usage) with the
// nearest names.
std::string find_metric(const std::vector<SweepRun>& runs, const std::string& name);

// One row for each point, in the order of the runs. Without a seed axis one row for each run.
std::vector<SweepRow> rows_over_seeds(const std::vector<SweepRun>& runs, const std::string& seed_axis);

// Larger means first; rows without the metric last.
void sort_by(std::vector<SweepRow>& rows, const std::string& metric);

std::string to_text(const Spread& spread);  // "0.9531 ± 0.0012", "0.9531", "-"
// "done", or "2 done, 1 failed".
std::string states_text(const SweepRow& row);

// What a table shows by default: the metric's path, and its usual name.
struct ShownMetric {
  std::string path;
  std::string title;
};
const std::vector<ShownMetric>& shown_metrics();

}  // namespace penstock::stages
