#include "pipeline/config/matrix.h"

#include <algorithm>
#include <optional>
#include <set>

#include "pipeline/config/matrix_diagnosis.h"
#include "pipeline/config/matrix_sample.h"
#include "pipeline/config/matrix_size.h"

namespace penstock::pipeline {
namespace {

// Combinations that excludes look through at most; it takes a second.
constexpr uint64_t most_looked_at = 1'000'000;
// Draws for each combination of a sample, before it is given up that another new one comes.
constexpr int64_t draws_each = 1000;

class Expander {
 public:
  Expander(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics)
      : draft_(draft), matrix_(matrix), diagnostics_(diagnostics), diagnosis_(draft, matrix, diagnostics) {}

  std::vector<Point> expand() {
    const size_t before = diagnostics_.count();
    diagnosis_.unknown_keys();
    if (matrix_.faulty || diagnostics_.count() != before || !is_within_limit()) return {};
    std::optional<std::vector<Point>> points = combined();
    if (!points) return {};
    for (size_t i = 0; i < matrix_.includes.size(); ++i)
      points->push_back({matrix_.includes[i].values, static_cast<int>(i)});
    for (const ConditionalSet& set : matrix_.sets) apply(set, *points);
    return with_seeds(std::move(*points));
  }

 private:
  // ---- how many ----
  // Before any run is made. Excludes make fewer of them, so what they leave is counted as they are applied.
  bool is_within_limit() {
    const uint64_t before = combinations_before_excludes(matrix_);
    if (before == 0 && matrix_.includes.empty()) {
      diagnosis_.no_run("it has no axes, zip, include or seeds");
      return false;
    }
    if (const auto all = matrix_.sample ? combinations(matrix_.factors) : std::nullopt; all && *all < before) {
      diagnosis_.sample_exceeds(*all);
      return false;
    }
    if (runs_of(matrix_, before) <= most_runs()) return true;
    if (matrix_.excludes.empty()) {
      diagnosis_.too_many_runs(before, 0);
      return false;
    }
    if (before > most_looked_at) diagnosis_.too_many_to_look_through(before, most_looked_at);
    return before <= most_looked_at;
  }

  uint64_t most_runs() const { return static_cast<uint64_t>(matrix_.max_runs); }

  // ---- axes, zips and excludes ----
  // Combinations come one at a time and only those that no exclude takes are kept: never all in memory. nullopt when
  // something was reported.
  std::optional<std::vector<Point>> combined() {
    const uint64_t before = combinations_before_excludes(matrix_);
    removed_.assign(matrix_.excludes.size(), 0);
    taken_by_.assign(matrix_.excludes.size(), nullptr);
    std::vector<Point> points;
    uint64_t kept = 0;
    std::vector<size_t> rows(matrix_.factors.size(), 0);
    std::set<std::string> seen;
    int64_t next_draw = 0;
    for (uint64_t i = 0; i < before; ++i) {
      Point point;
      if (matrix_.sample) {
        if (!draw_new(point, next_draw, seen)) return std::nullopt;
      } else {
        point.values = row_of(rows);
        advance(rows);
      }
      if (is_excluded(point)) continue;
      if (runs_of(matrix_, ++kept) <= most_runs()) points.push_back(std::move(point));
    }
    for (size_t i = 0; i < matrix_.excludes.size(); ++i) {
      if (removed_[i] == 0) diagnosis_.idle_exclude(matrix_.excludes[i], taken_by_[i], before);
    }
    if (runs_of(matrix_, kept) > most_runs()) {
      diagnosis_.too_many_runs(before, before - kept);
      return std::nullopt;
    }
    if (runs_of(matrix_, kept) == 0) {
      diagnosis_.no_run("its excludes remove every combination");
      return std::nullopt;
    }
    return points;
  }

  Assignment row_of(const std::vector<size_t>& rows) const {
    Assignment values;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Assignment& row = matrix_.factors[i].rows[rows[i]];
      values.insert(values.end(), row.begin(), row.end());
    }
    return values;
  }

  // The last factor turns fastest.
  void advance(std::vector<size_t>& rows) const {
    for (size_t i = rows.size(); i-- > 0;) {
      if (++rows[i] < matrix_.factors[i].rows.size()) return;
      rows[i] = 0;
    }
  }

  // Draws on until a combination is new. A range of integers may hold some that hardly ever come up.
  bool draw_new(Point& point, int64_t& next, std::set<std::string>& seen) {
    for (const int64_t last = draws_each * (matrix_.sample->n + 1); next < last;) {
      point.values = draw(matrix_.factors, matrix_.sample->seed, next++);
      if (seen.insert(text_of(point.values)).second) return true;
    }
    diagnosis_.sample_repeats(next, seen.size());
    return false;
  }

  bool is_excluded(const Point& point) {
    const Condition* taker = nullptr;  // the first that matches
    for (size_t i = 0; i < matrix_.excludes.size(); ++i) {
      if (!matches(point, matrix_.excludes[i].values)) continue;
      if (taker == nullptr) {
        taker = &matrix_.excludes[i];
        ++removed_[i];
      } else {
        taken_by_[i] = taker;
      }
    }
    return taker != nullptr;
  }

  // ---- conditions ----
  const Value& value_in(const Point& point, const std::string& key) const {
    const auto found =
        std::find_if(point.values.begin(), point.values.end(), [&](const auto& one) { return one.first == key; });
    return found == point.values.end() ? draft_.value(key) : found->second;
  }

  bool matches(const Point& point, const Assignment& condition) const {
    return std::all_of(condition.begin(), condition.end(),
                       [&](const auto& want) { return value_in(point, want.first) == want.second; });
  }

  // ---- set and seeds ----
  void apply(const ConditionalSet& set, std::vector<Point>& points) {
    size_t changed = 0;
    for (Point& point : points) {
      if (!matches(point, set.when.values)) continue;
      ++changed;
      for (const auto& [key, value] : set.changes) {
        const auto found = std::find_if(point.values.begin(), point.values.end(),
                                        [&, name = key](const auto& one) { return one.first == name; });
        if (found == point.values.end()) {
          point.values.emplace_back(key, value);
        } else {
          found->second = value;
        }
      }
    }
    if (changed > 0) return;
    diagnosis_.idle_set(set, points.size(), [&](const std::string& parameter) {
      DistinctValues taken = matrix_.sample ? diagnosis_.values_given(parameter) : DistinctValues();
      for (const Point& point : points) taken.add(value_in(point, parameter));
      return taken.values();
    });
  }

  std::vector<Point> with_seeds(std::vector<Point> points) const {
    if (!matrix_.seeds) return points;
    std::vector<Point> wider;
    wider.reserve(points.size() * matrix_.seeds->rows.size());
    for (const Point& point : points) {
      for (const Assignment& row : matrix_.seeds->rows) {
        wider.push_back(point);
        wider.back().values.push_back(row.front());
      }
    }
    return wider;
  }

  const Draft& draft_;
  const MatrixDraft& matrix_;
  Diagnostics& diagnostics_;
  MatrixDiagnosis diagnosis_;
  std::vector<uint64_t> removed_;           // by each exclude: the first that matches a combination removes it
  std::vector<const Condition*> taken_by_;  // of each exclude: another that removed what it matches
};

}  // namespace

std::vector<Point> expand_matrix(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics) {
  if (!draft.matrix) return {{}};
  return Expander(draft, matrix, diagnostics).expand();
}

}  // namespace penstock::pipeline
