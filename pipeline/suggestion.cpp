#include "pipeline/suggestion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace penstock::pipeline {
namespace {

// Damerau-Levenshtein distance, restricted form (optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& names) {
  std::optional<std::string> best;
  size_t least = 0;
  for (const std::string& name : names) {
    const size_t steps = distance(word, name);
    if (steps > std::max<size_t>(1, std::max(word.size(), name.size()) / 3)) continue;
    if (!best || steps < least) {
      best = name;
      least = steps;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const auto name = nearest_name(word, names);
  return name && *name != word ? "; did you mean '" + *name + "'?" : "";
}

std::string instead_of(std::string_view word, const std::vector<std::string>& names, std::string_view introduction) {
  constexpr size_t few = 12;
  const std::string near = did_you_mean(word, names);
  if (!near.empty() || names.empty() || names.size() > few) return near;
  return fmt::format("; {} {}", introduction, fmt::join(names, ", "));
}

}  // namespace penstock::pipeline
