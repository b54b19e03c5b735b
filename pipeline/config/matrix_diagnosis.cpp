#include "pipeline/config/matrix_diagnosis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "pipeline/config/matrix_size.h"
#include "pipeline/counted.h"
#include "pipeline/suggestion.h"
#include "pipeline/syntax/grammar.h"

namespace penstock::pipeline {
namespace {

std::string listed(const std::vector<Value>& values) {
  constexpr size_t few = 8;
  std::vector<std::string> texts;
  for (size_t i = 0; i < std::min(few, values.size()); ++i) texts.push_back(values[i].dump());
  return fmt::format("{}{}", fmt::join(texts, ", "),
                     values.size() > few ? fmt::format(" and {} more", values.size() - few) : "");
}

}  // namespace

void MatrixDiagnosis::unknown_keys() {
  const std::vector<std::string> names = matrix_keys().names();
  for (const Member& member : draft_.matrix->members) {
    if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
    diagnostics_.error(
        "E102", member.position,
        fmt::format("[matrix] has no key '{}'{}", member.key, instead_of(member.key, names, "it takes")));
  }
}

// ---- how many ----

void MatrixDiagnosis::no_run(const std::string& reason) {
  diagnostics_.error("E404", draft_.matrix_position, "the matrix gives no run: " + reason);
}

void MatrixDiagnosis::too_many_runs(uint64_t before, uint64_t excluded) {
  std::string product = product_of(before);
  if (excluded > 0) product += fmt::format(", less {} excluded", text_of_count(excluded));
  if (!matrix_.includes.empty()) product += fmt::format(", plus {} included", matrix_.includes.size());
  if (matrix_.seeds)
    product += fmt::format(", x {}", counted(static_cast<int64_t>(matrix_.seeds->rows.size()), "seed"));
  diagnostics_.error("E404", matrix_.max_runs_position,
                     fmt::format("the matrix gives {} runs ({}); max_runs is {}",
                                 text_of_count(runs_of(matrix_, before - excluded)), product, matrix_.max_runs),
                     widest());
}

void MatrixDiagnosis::too_many_to_look_through(uint64_t before, uint64_t most) {
  diagnostics_.error("E404", matrix_.max_runs_position,
                     fmt::format("excludes can look through {} combinations, and there are {} ({}): shorten an axis, "
                                 "or draw some with [matrix.sample]",
                                 text_of_count(most), text_of_count(before), product_of(before)),
                     widest());
}

void MatrixDiagnosis::sample_exceeds(uint64_t different) {
  diagnostics_.error("E402", matrix_.sample->n_position,
                     fmt::format("a sample of {} is requested, and there are {} different combinations",
                                 with_commas(matrix_.sample->n), text_of_count(different)));
}

void MatrixDiagnosis::sample_repeats(int64_t draws, size_t different) {
  diagnostics_.error("E402", matrix_.sample->n_position,
                     fmt::format("{} draws gave {} different combinations, {} are requested; request fewer",
                                 with_commas(draws), different, matrix_.sample->n));
}

// "4 x 6 x 6 x 12", or "20 drawn".
std::string MatrixDiagnosis::product_of(uint64_t before) const {
  if (matrix_.sample) return text_of_count(before) + " drawn";
  std::vector<std::string> sizes;
  for (const Factor& factor : matrix_.factors) sizes.push_back(std::to_string(factor.rows.size()));
  return sizes.empty() ? "1" : fmt::format("{}", fmt::join(sizes, " x "));
}

// Where to cut.
std::vector<Note> MatrixDiagnosis::widest() const {
  if (matrix_.sample) return {{matrix_.sample->n_position, fmt::format("{} are drawn here", matrix_.sample->n)}};
  const auto factor = std::max_element(matrix_.factors.begin(), matrix_.factors.end(),
                                       [](const Factor& a, const Factor& b) { return a.rows.size() < b.rows.size(); });
  if (factor == matrix_.factors.end()) return {};
  return {{factor->position, fmt::format("the longest: '{}' has {} values", factor->name, factor->rows.size())}};
}

// ---- conditions that no run meets ----

void MatrixDiagnosis::idle_exclude(const Condition& exclude, const Condition* taker, uint64_t before) {
  if (taker == nullptr) {
    idle(exclude, "exclude removes", before,
         [this](const std::string& parameter) { return values_given(parameter).values(); });
    return;
  }
  diagnostics_.error("E403", exclude.position,
                     fmt::format("this exclude removes none of the {} runs: another exclude removes those that it "
                                 "matches",
                                 text_of_count(before)),
                     {{taker->position, "they are removed here"}});
}

void MatrixDiagnosis::idle_set(const ConditionalSet& set, uint64_t runs, const ValuesTaken& taken) {
  idle(set.when, "condition matches", runs, taken);
}

DistinctValues MatrixDiagnosis::values_given(const std::string& parameter) const {
  DistinctValues given;
  for (const Factor& factor : matrix_.factors) {
    for (const Assignment& row : factor.rows) {
      for (const auto& [name, value] : row) {
        if (name == parameter) given.add(value);
      }
    }
  }
  return given;
}

// Why no run meets the condition, and where to look. Of a sample it may be chance, and is an error only where no sample
// could meet it.
void MatrixDiagnosis::idle(const Condition& condition, const char* what, uint64_t runs, const ValuesTaken& taken) {
  for (const auto& [parameter, value] : condition.values) {
    const std::string reason = why_never(parameter, value, taken);
    if (reason.empty()) continue;
    diagnostics_.error("E403", condition.position,
                       fmt::format("this {} none of the {} runs: {}", what, text_of_count(runs), reason),
                       note_on(parameter));
    return;
  }
  if (matrix_.sample) return;
  std::vector<Note> notes;
  if (const Factor* zip = zip_of(condition.values)) notes.push_back({zip->position, "this zip pairs them otherwise"});
  diagnostics_.error("E403", condition.position,
                     fmt::format("this {} none of the {} runs: each of its values is taken, but never all in one run",
                                 what, text_of_count(runs)),
                     notes);
}

// Empty when some run may have this value.
std::string MatrixDiagnosis::why_never(const std::string& parameter, const Value& value,
                                       const ValuesTaken& taken) const {
  if (matrix_.seeds && matrix_.seeds->name == parameter)
    return fmt::format("'{}' is set last, by [matrix.seeds]", parameter);
  if (is_drawn(parameter)) return fmt::format("'{}' is drawn from a range, and values are compared exactly", parameter);
  const std::vector<Value> values = taken(parameter);
  if (values.empty()) {
    const Value& everywhere = draft_.value(parameter);
    return everywhere == value ? ""
                               : fmt::format("'{}' is {} in each, not {}", parameter, everywhere.dump(), value.dump());
  }
  if (std::find(values.begin(), values.end(), value) != values.end()) return "";
  return fmt::format("'{}' takes {}; {} is not among them", parameter, listed(values), value.dump());
}

// The zip that two of the parameters are columns of, or nullptr.
const Factor* MatrixDiagnosis::zip_of(const Assignment& values) const {
  for (const Factor& factor : matrix_.factors) {
    const auto columns = std::count_if(values.begin(), values.end(), [&](const auto& one) {
      return !factor.rows.empty() && std::any_of(factor.rows[0].begin(), factor.rows[0].end(),
                                                 [&](const auto& column) { return column.first == one.first; });
    });
    if (columns > 1) return &factor;
  }
  return nullptr;
}

bool MatrixDiagnosis::is_drawn(const std::string& parameter) const {
  return std::any_of(matrix_.factors.begin(), matrix_.factors.end(),
                     [&](const Factor& factor) { return factor.range && factor.name == parameter; });
}

// The axis of the parameter, where it has one.
std::vector<Note> MatrixDiagnosis::note_on(const std::string& parameter) const {
  const auto axis =
      std::find_if(matrix_.axes.begin(), matrix_.axes.end(), [&](const auto& one) { return one.first == parameter; });
  if (axis == matrix_.axes.end()) return {};
  return {{axis->second, is_drawn(parameter) ? "its range is here" : "its values are here"}};
}

}  // namespace penstock::pipeline
