// [matrix]: axes x zip (or a sample of them) -> exclude -> include -> set -> seeds, as points "stage.param" -> value.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "pipeline/config/draft.h"
#include "pipeline/config/grammar.h"
#include "pipeline/config/matrix_draft.h"
#include "pipeline/config/matrix_sample.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

// Combinations that excludes look through at most; it takes a second.
constexpr uint64_t most_looked_at = 1'000'000;
constexpr uint64_t beyond_counting = std::numeric_limits<uint64_t>::max();

uint64_t times(uint64_t a, uint64_t b) { return a != 0 && b > beyond_counting / a ? beyond_counting : a * b; }

// "5,184".
std::string grouped(uint64_t number) {
  if (number == beyond_counting) return "more than 10^19";
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

class Expander {
 public:
  Expander(const Draft& draft, const MatrixDraft& plan, Diagnostics& diagnostics)
      : draft_(draft), matrix_(*draft.matrix), plan_(plan), diagnostics_(diagnostics) {}

  std::vector<Point> expand() {
    known_keys();
    if (plan_.faulty || diagnostics_.count() != before_ || !is_within_limit()) return {};
    std::optional<std::vector<Point>> points = combined();
    if (!points) return {};
    for (size_t i = 0; i < plan_.includes.size(); ++i)
      points->push_back({plan_.includes[i].values, static_cast<int>(i)});
    for (const ConditionalSet& set : plan_.sets) apply(set, *points);
    return with_seeds(std::move(*points));
  }

 private:
  void known_keys() {
    static const std::vector<std::string> names = matrix_keys().names();
    for (const Member& member : matrix_.members) {
      if (std::find(names.begin(), names.end(), member.key) == names.end()) {
        diagnostics_.error(
            "E102", member.position,
            fmt::format("[matrix] has no key '{}'{}", member.key, instead_of(member.key, names, "it takes")));
      }
    }
  }

  // ---- how many ----
  // Of axes and zips. None of both means the configuration as it is, unless includes say what the runs are.
  uint64_t candidates() const {
    if (plan_.sample) return static_cast<uint64_t>(plan_.sample->n);
    if (plan_.factors.empty()) return plan_.includes.empty() && plan_.seeds ? 1 : 0;
    uint64_t all = 1;
    for (const Factor& factor : plan_.factors) all = times(all, factor.rows.size());
    return all;
  }

  uint64_t runs_of(uint64_t kept) const {
    const uint64_t points = kept == beyond_counting ? kept : kept + plan_.includes.size();
    return times(points, plan_.seeds ? plan_.seeds->rows.size() : 1);
  }

  // Before any run is made. Excludes make fewer of them, so what they leave is counted as they are applied.
  bool is_within_limit() {
    const uint64_t before = candidates();
    if (before == 0 && plan_.includes.empty()) {
      diagnostics_.error("E404", draft_.matrix_position,
                         "the matrix gives no run: it has no axes, zip, include or seeds");
      return false;
    }
    if (const auto all = plan_.sample ? combinations(plan_.factors) : std::nullopt; all && *all < before) {
      diagnostics_.error("E402", plan_.sample->n_position,
                         fmt::format("a sample of {} is asked for, and there are {} different combinations",
                                     grouped(before), grouped(*all)));
      return false;
    }
    if (runs_of(before) <= static_cast<uint64_t>(plan_.max_runs)) return true;
    if (plan_.excludes.empty()) {
      refuse(before, 0);
      return false;
    }
    if (before <= most_looked_at) return true;
    diagnostics_.error("E404", plan_.max_runs_position,
                       fmt::format("excludes can look through {} combinations, and there are {} ({}): shorten an axis, "
                                   "or draw some with [matrix.sample]",
                                   grouped(most_looked_at), grouped(before), product_of(before)),
                       widest());
    return false;
  }

  // "4 x 6 x 6 x 12", or "20 drawn".
  std::string product_of(uint64_t before) const {
    if (plan_.sample) return grouped(before) + " drawn";
    std::vector<std::string> sizes;
    for (const Factor& factor : plan_.factors) sizes.push_back(std::to_string(factor.rows.size()));
    return sizes.empty() ? "1" : fmt::format("{}", fmt::join(sizes, " x "));
  }

  void refuse(uint64_t before, uint64_t excluded) {
    std::string product = product_of(before);
    if (excluded > 0) product += fmt::format(", less {} excluded", grouped(excluded));
    if (!plan_.includes.empty()) product += fmt::format(", plus {} included", plan_.includes.size());
    if (plan_.seeds) product += fmt::format(", x {} seeds", plan_.seeds->rows.size());
    diagnostics_.error("E404", plan_.max_runs_position,
                       fmt::format("the matrix gives {} runs ({}); max_runs is {}", grouped(runs_of(before - excluded)),
                                   product, plan_.max_runs),
                       widest());
  }

  // Where to cut.
  std::vector<Note> widest() const {
    const auto factor =
        std::max_element(plan_.factors.begin(), plan_.factors.end(),
                         [](const Factor& a, const Factor& b) { return a.rows.size() < b.rows.size(); });
    if (plan_.sample) return {{plan_.sample->n_position, fmt::format("{} are drawn here", plan_.sample->n)}};
    if (factor == plan_.factors.end()) return {};
    return {{factor->position, fmt::format("the longest: '{}' has {} values", factor->name, factor->rows.size())}};
  }

  // ---- axes, zips and excludes ----
  // Combinations come one at a time and only those that no exclude takes are kept: never all in memory. nullopt when
  // there is nothing to go on with.
  std::optional<std::vector<Point>> combined() {
    const uint64_t before = candidates();
    const uint64_t most = static_cast<uint64_t>(plan_.max_runs);
    removed_.assign(plan_.excludes.size(), 0);
    taken_by_.assign(plan_.excludes.size(), -1);
    std::vector<Point> points;
    uint64_t kept = 0;
    std::vector<size_t> rows(plan_.factors.size(), 0);
    std::set<std::string> seen;
    int64_t next_draw = 0;
    for (uint64_t i = 0; i < before; ++i) {
      Point point;
      if (plan_.sample) {
        if (!draw_new(point, next_draw, seen)) return std::nullopt;
      } else {
        point.values = row_of(rows);
        advance(rows);
      }
      if (is_excluded(point)) continue;
      if (runs_of(++kept) <= most) points.push_back(std::move(point));
    }
    refuse_idle_excludes(before);
    if (runs_of(kept) > most) {
      refuse(before, before - kept);
      return std::nullopt;
    }
    if (runs_of(kept) == 0) {
      diagnostics_.error("E404", draft_.matrix_position,
                         "the matrix gives no run: its excludes take away every combination");
      return std::nullopt;
    }
    return points;
  }

  Assignment row_of(const std::vector<size_t>& rows) const {
    Assignment values;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Assignment& row = plan_.factors[i].rows[rows[i]];
      values.insert(values.end(), row.begin(), row.end());
    }
    return values;
  }

  // The last factor turns fastest.
  void advance(std::vector<size_t>& rows) const {
    for (size_t i = rows.size(); i-- > 0;) {
      if (++rows[i] < plan_.factors[i].rows.size()) return;
      rows[i] = 0;
    }
  }

  // Draws on until a combination is new. A range of integers may hold some that hardly ever come up.
  bool draw_new(Point& point, int64_t& next, std::set<std::string>& seen) {
    constexpr int64_t draws_each = 1000;
    for (const int64_t last = draws_each * (plan_.sample->n + 1); next < last;) {
      point.values = draw(plan_.factors, plan_.sample->seed, next++);
      if (seen.insert(text_of(point.values)).second) return true;
    }
    diagnostics_.error("E402", plan_.sample->n_position,
                       fmt::format("{} draws gave {} different combinations, {} are asked for; ask for fewer",
                                   grouped(next), seen.size(), plan_.sample->n));
    return false;
  }

  bool is_excluded(const Point& point) {
    int taker = -1;  // the first that matches
    for (size_t i = 0; i < plan_.excludes.size(); ++i) {
      if (!matches(point, plan_.excludes[i].values)) continue;
      if (taker < 0) {
        taker = static_cast<int>(i);
        ++removed_[i];
      } else {
        taken_by_[i] = taker;
      }
    }
    return taker >= 0;
  }

  void refuse_idle_excludes(uint64_t before) {
    for (size_t i = 0; i < plan_.excludes.size(); ++i) {
      if (removed_[i] > 0) continue;
      const Condition& exclude = plan_.excludes[i];
      if (taken_by_[i] >= 0) {
        diagnostics_.error("E403", exclude.position,
                           fmt::format("this exclude removes none of the {} runs: another takes those that it matches",
                                       grouped(before)),
                           {{plan_.excludes[taken_by_[i]].position, "they are taken here"}});
        continue;
      }
      report_idle(exclude, "exclude removes", before, [this](const std::string& key) { return values_of(key).values; });
    }
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

  // Different values, in the order they came.
  class Seen {
   public:
    void add(const Value& value) {
      if (texts_.insert(value.dump()).second) values.push_back(value);
    }
    std::vector<Value> values;

   private:
    std::set<std::string> texts_;
  };

  // What axes and zips give a parameter.
  Seen values_of(const std::string& key) const {
    Seen seen;
    for (const Factor& factor : plan_.factors) {
      for (const Assignment& row : factor.rows) {
        for (const auto& [name, value] : row) {
          if (name == key) seen.add(value);
        }
      }
    }
    return seen;
  }

  // A condition that no run meets: why, and where to look. `taken` gives the values that a parameter takes. Of a sample
  // it may be chance, and is an error only where no sample could meet it.
  template <typename Taken>
  void report_idle(const Condition& condition, const char* what, uint64_t runs, const Taken& taken) {
    for (const auto& [key, value] : condition.values) {
      const std::string reason = why_never(key, value, taken);
      if (reason.empty()) continue;
      const std::optional<Note> note = note_on(key);
      diagnostics_.error("E403", condition.position,
                         fmt::format("this {} none of the {} runs: {}", what, grouped(runs), reason),
                         note ? std::vector<Note>{*note} : std::vector<Note>{});
      return;
    }
    if (plan_.sample) return;
    std::vector<Note> notes;
    if (const Factor* zip = zip_of(condition.values)) notes.push_back({zip->position, "this zip pairs them otherwise"});
    diagnostics_.error("E403", condition.position,
                       fmt::format("this {} none of the {} runs: each of its values is taken, but never all in one run",
                                   what, grouped(runs)),
                       notes);
  }

  // Empty when some run may have this value.
  template <typename Taken>
  std::string why_never(const std::string& key, const Value& value, const Taken& taken) const {
    if (plan_.seeds && plan_.seeds->name == key) return fmt::format("'{}' is given last, by [matrix.seeds]", key);
    if (is_drawn(key)) return fmt::format("'{}' is drawn from a range, and values are compared exactly", key);
    const std::vector<Value> values = taken(key);
    if (values.empty())
      return draft_.value(key) == value
                 ? ""
                 : fmt::format("'{}' is {} in each, not {}", key, draft_.value(key).dump(), value.dump());
    if (std::find(values.begin(), values.end(), value) != values.end()) return "";
    return fmt::format("'{}' takes {}; {} is not among them", key, listed(values), value.dump());
  }

  // The zip that two of the parameters are columns of, or nullptr.
  const Factor* zip_of(const Assignment& values) const {
    for (const Factor& factor : plan_.factors) {
      const auto columns = std::count_if(values.begin(), values.end(), [&](const auto& one) {
        return !factor.rows.empty() && std::any_of(factor.rows[0].begin(), factor.rows[0].end(),
                                                   [&](const auto& column) { return column.first == one.first; });
      });
      if (columns > 1) return &factor;
    }
    return nullptr;
  }

  bool is_drawn(const std::string& key) const {
    return std::any_of(plan_.factors.begin(), plan_.factors.end(),
                       [&](const Factor& factor) { return factor.range && factor.name == key; });
  }

  std::optional<Note> note_on(const std::string& key) const {
    const auto axis =
        std::find_if(plan_.axes.begin(), plan_.axes.end(), [&](const auto& one) { return one.first == key; });
    return axis == plan_.axes.end()
               ? std::nullopt
               : std::optional<Note>({axis->second, is_drawn(key) ? "its range is here" : "its values are here"});
  }

  static std::string listed(const std::vector<Value>& values) {
    constexpr size_t few = 8;
    std::vector<std::string> texts;
    for (size_t i = 0; i < std::min(few, values.size()); ++i) texts.push_back(values[i].dump());
    return fmt::format("{}{}", fmt::join(texts, ", "),
                       values.size() > few ? fmt::format(" and {} more", values.size() - few) : "");
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
    report_idle(set.when, "condition matches", points.size(), [&](const std::string& key) {
      Seen seen = plan_.sample ? values_of(key) : Seen();
      for (const Point& point : points) seen.add(value_in(point, key));
      return seen.values;
    });
  }

  std::vector<Point> with_seeds(std::vector<Point> points) const {
    if (!plan_.seeds) return points;
    std::vector<Point> wider;
    wider.reserve(points.size() * plan_.seeds->rows.size());
    for (const Point& point : points) {
      for (const Assignment& row : plan_.seeds->rows) {
        wider.push_back(point);
        wider.back().values.push_back(row.front());
      }
    }
    return wider;
  }

  const Draft& draft_;
  const Tree& matrix_;
  const MatrixDraft& plan_;
  Diagnostics& diagnostics_;
  const size_t before_ = diagnostics_.count();
  std::vector<uint64_t> removed_;  // by each exclude: the first that matches a combination removes it
  std::vector<int> taken_by_;      // of each exclude: another that removed what it matches
};

}  // namespace

std::vector<Point> expand_matrix(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics) {
  if (!draft.matrix) return {{}};
  return Expander(draft, matrix, diagnostics).expand();
}

}  // namespace penstock::pipeline
