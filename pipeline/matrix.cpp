// [matrix]: axes x zip -> sample -> exclude -> include -> set -> seeds, as points "stage.param" -> value.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "pipeline/digest.h"
#include "pipeline/draft.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

// An axis with values, or a range to draw from.
struct Axis {
  std::string key;
  std::vector<Value> values;
  bool drawn = false;
  bool logarithmic = false;
  double low = 0, high = 0;
};

class Expander {
 public:
  Expander(const Draft& draft, Diagnostics& diagnostics) : draft_(draft), matrix_(*draft.matrix), diagnostics_(diagnostics) {}

  std::vector<Point> expand() {
    known_keys();
    const std::vector<Axis> axes = read_axes();
    std::vector<Point> points = sampled() ? sample(axes) : product(axes);
    if (const Member* zips = matrix_.find("zip")) {
      for (const Tree& zip : zips->tree.elements) points = with_zip(points, zip);
    }
    exclude(points);
    include(points);
    apply_sets(points);
    points = with_seeds(points);
    if (points.empty() || (points.size() == 1 && points[0].empty())) {
      diagnostics_.error("E404", draft_.matrix_position, "the matrix gives no run", 6);
    }
    return points;
  }

 private:
  void known_keys() {
    static const std::vector<std::string> names = {"axes", "zip", "exclude", "include", "set", "sample", "seeds", "early_stop"};
    for (const Member& member : matrix_.members) {
      if (std::find(names.begin(), names.end(), member.key) == names.end()) {
        diagnostics_.error("E102", member.position, fmt::format("[matrix] has no key '{}'{}", member.key, did_you_mean(member.key, names)), member.key.size());
      }
    }
  }

  // The parameter's own form of `value`; what does not fit is reported.
  Value checked(const std::string& key, const Value& value, const Position& place) {
    const size_t dot = key.find('.');
    const DraftStage* stage = dot == std::string::npos ? nullptr : draft_.find(key.substr(0, dot));
    if (stage == nullptr) {
      diagnostics_.error("E401", place, fmt::format("'{}' is no parameter: there is no stage '{}'{}", key, key.substr(0, dot),
                         did_you_mean(key.substr(0, dot), draft_.stage_names())));
      return value;
    }
    std::vector<std::string> names;
    for (const Specification& one : stage->kind().parameters) {
      names.push_back(one.name);
      if (one.name != key.substr(dot + 1)) continue;
      if (const auto problem = problem_with(one, value)) {
        diagnostics_.error("E402", place, fmt::format("'{}' {}", key, *problem), value.dump().size());
        return value;
      }
      return normalised(one, value);
    }
    diagnostics_.error("E401", place, fmt::format("'{}' is no parameter: stage '{}' has no '{}'{}", key, stage->name(), key.substr(dot + 1),
                       did_you_mean(key.substr(dot + 1), names)));
    return value;
  }

  Point point_of(const Tree& table) {
    Point point;
    for (const Member& member : table.members) {
      // A bare dotted key (train.lr = 1) is a table of tables in TOML.
      if (member.tree.is_table) {
        for (const Member& inner : member.tree.members) {
          const std::string key = member.key + "." + inner.key;
          point.emplace_back(key, checked(key, inner.tree.value, inner.tree.position));
        }
      } else {
        point.emplace_back(member.key, checked(member.key, member.tree.value, member.tree.position));
      }
    }
    return point;
  }

  std::vector<Axis> read_axes() {
    std::vector<Axis> axes;
    const Member* member = matrix_.find("axes");
    if (member == nullptr) return axes;
    for (const Member& one : member->tree.members) {
      Axis axis{one.key, {}, false, false, 0, 0};
      const Tree& tree = one.tree;
      if (tree.is_table && (tree.find("uniform") || tree.find("log_uniform"))) {
        axis.drawn = true;
        axis.logarithmic = tree.find("log_uniform") != nullptr;
        const Tree& range = tree.find(axis.logarithmic ? "log_uniform" : "uniform")->tree;
        if (!range.value.is_array() || range.value.size() != 2 || !range.value[0].is_number() || !range.value[1].is_number() ||
            (axis.logarithmic && range.value[0].get<double>() <= 0) || range.value[0].get<double>() > range.value[1].get<double>()) {
          diagnostics_.error("E402", range.position, "a range is [low, high], with 0 < low for log_uniform");
          continue;
        }
        axis.low = range.value[0].get<double>();
        axis.high = range.value[1].get<double>();
        checked(one.key, axis.low, range.position);
        if (!sampled()) diagnostics_.error("E402", range.position, "a range is drawn from: give [matrix.sample] n and seed");
      } else if (tree.value.is_array() && !tree.elements.empty()) {
        for (const Tree& element : tree.elements) axis.values.push_back(checked(one.key, element.value, element.position));
      } else {
        diagnostics_.error("E402", tree.position, fmt::format("axis '{}' must be a list of values, not empty", one.key));
        continue;
      }
      axes.push_back(std::move(axis));
    }
    return axes;
  }

  bool sampled() const { return matrix_.find("sample") != nullptr; }

  int64_t integer(const Tree& table, const std::string& key, int64_t fallback) {
    const Member* member = table.find(key);
    if (member == nullptr) return fallback;
    if (member->tree.value.is_number_integer() && member->tree.value.get<int64_t>() >= 0) return member->tree.value.get<int64_t>();
    diagnostics_.error("E402", member->tree.position, fmt::format("'{}' must be an integer of at least 0", key));
    return fallback;
  }

  static std::vector<Point> product(const std::vector<Axis>& axes) {
    std::vector<Point> points = {{}};
    for (const Axis& axis : axes) {
      std::vector<Point> wider;
      for (const Point& point : points) {
        for (const Value& value : axis.values) {
          wider.push_back(point);
          wider.back().emplace_back(axis.key, value);
        }
      }
      points = std::move(wider);
    }
    return points;
  }

  // Draw i of axis a depends on (seed, axis name, i) alone: a larger n only adds runs.
  std::vector<Point> sample(const std::vector<Axis>& axes) {
    const Tree& table = matrix_.find("sample")->tree;
    const int64_t n = integer(table, "n", 1), seed = integer(table, "seed", 0);
    std::vector<Point> points;
    for (int64_t i = 0; i < n; ++i) {
      Point point;
      for (const Axis& axis : axes) {
        const uint64_t bits = Hasher().field("matrix.sample").field(seed).field(axis.key).field(i).finish().leading_bits();
        const double u = static_cast<double>(bits >> 11) * 0x1p-53;
        if (!axis.drawn) {
          point.emplace_back(axis.key, axis.values[static_cast<size_t>(u * static_cast<double>(axis.values.size()))]);
        } else if (axis.logarithmic) {
          point.emplace_back(axis.key, std::exp(std::log(axis.low) + u * (std::log(axis.high) - std::log(axis.low))));
        } else {
          point.emplace_back(axis.key, axis.low + u * (axis.high - axis.low));
        }
      }
      points.push_back(std::move(point));
    }
    return points;
  }

  std::vector<Point> with_zip(const std::vector<Point>& points, const Tree& zip) {
    std::vector<Point> rows;
    for (const Member& column : zip.members) {
      const size_t length = column.tree.elements.size();
      if (rows.empty()) rows.resize(length);
      if (length == 0 || length != rows.size()) {
        diagnostics_.error("E405", column.position, fmt::format("column '{}' of a zip has {} values, another has {}", column.key, length, rows.size()), column.key.size());
        return points;
      }
      for (size_t row = 0; row < length; ++row) {
        rows[row].emplace_back(column.key, checked(column.key, column.tree.elements[row].value, column.tree.elements[row].position));
      }
    }
    std::vector<Point> wider;
    for (const Point& point : points) {
      for (const Point& row : rows) {
        wider.push_back(point);
        wider.back().insert(wider.back().end(), row.begin(), row.end());
      }
    }
    return wider;
  }

  static bool matches(const Point& point, const Point& partial) {
    return std::all_of(partial.begin(), partial.end(), [&](const auto& want) {
      return std::find(point.begin(), point.end(), want) != point.end();
    });
  }

  void exclude(std::vector<Point>& points) {
    const Member* excludes = matrix_.find("exclude");
    if (excludes == nullptr) return;
    for (const Tree& one : excludes->tree.elements) {
      const Point partial = point_of(one);
      const auto removed = std::erase_if(points, [&](const Point& point) { return matches(point, partial); });
      if (removed == 0) diagnostics_.error("E403", one.position, "this exclude removes no run");
    }
  }

  void include(std::vector<Point>& points) {
    const Member* includes = matrix_.find("include");
    if (includes == nullptr) return;
    for (const Tree& one : includes->tree.elements) points.push_back(point_of(one));
  }

  void apply_sets(std::vector<Point>& points) {
    const Member* sets = matrix_.find("set");
    if (sets == nullptr) return;
    for (const Tree& one : sets->tree.elements) {
      const Member* when = one.find("when");
      const Member* set = one.find("set");
      if (set == nullptr) {
        diagnostics_.error("E104", one.position, "a [[matrix.set]] says what to `set`");
        continue;
      }
      const Point condition = when ? point_of(when->tree) : Point{};
      const Point changes = point_of(set->tree);
      for (Point& point : points) {
        if (!matches(point, condition)) continue;
        for (const auto& [key, value] : changes) {
          std::erase_if(point, [&](const auto& has) { return has.first == key; });
          point.emplace_back(key, value);
        }
      }
    }
  }

  std::vector<Point> with_seeds(const std::vector<Point>& points) {
    const Member* seeds = matrix_.find("seeds");
    if (seeds == nullptr) return points;
    const Member* path = seeds->tree.find("path");
    const Member* values = seeds->tree.find("values");
    if (path == nullptr || !path->tree.value.is_string() || values == nullptr || values->tree.elements.empty()) {
      diagnostics_.error("E104", seeds->position, "[matrix.seeds] names the `path` of the seed and its `values`", 5);
      return points;
    }
    std::vector<Point> wider;
    for (const Point& point : points) {
      for (const Tree& element : values->tree.elements) {
        wider.push_back(point);
        const std::string key = path->tree.value.get<std::string>();
        wider.back().emplace_back(key, checked(key, element.value, element.position));
      }
    }
    return wider;
  }

  const Draft& draft_;
  const Tree& matrix_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<Point> expand_matrix(const Draft& draft, Diagnostics& diagnostics) {
  if (!draft.matrix) return {{}};
  return Expander(draft, diagnostics).expand();
}

}  // namespace penstock::pipeline
