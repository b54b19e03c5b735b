#include "stages/audit/relations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace penstock::stages {
namespace {

constexpr double least_line_deviation = 1.5;  // grey levels: flatter lines are alike by chance
constexpr size_t blocks = 16;                 // of a line, for the first look
constexpr double least_block_correlation = 0.7;
constexpr double same_shape = 0.02;  // by which ratios of sides may differ

// Values less their mean, divided by their norm: the product of two such is their correlation. Empty where nearly
// constant.
std::vector<float> normalised(const std::vector<double>& values, double least_deviation) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  if (squares / count <= least_deviation * least_deviation) return {};
  std::vector<float> result;
  for (const double value : values) result.push_back(static_cast<float>((value - mean) / std::sqrt(squares)));
  return result;
}

double product(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

// ---- tiles ----

struct Line {
  size_t picture = 0;
  const EdgeLine* edge = nullptr;
  std::vector<float> whole, rough;
  bool plain = false;  // cuts fewer than two objects
};

// How often a line rises out of its mean to half a standard deviation above it: the objects that it cuts.
int rises_of(const std::vector<float>& line) {
  const double level = 0.5 / std::sqrt(static_cast<double>(line.size()));
  int rises = 0;
  bool low = true;
  for (size_t i = 1; i + 1 < line.size(); ++i) {
    const double smooth = (line[i - 1] + line[i] + line[i + 1]) / 3;
    if (smooth > level && low) ++rises, low = false;
    if (smooth < 0) low = true;
  }
  return rises;
}

Line line_from(size_t picture, const EdgeLine& edge) {
  Line line{picture, &edge, normalised({edge.values.begin(), edge.values.end()}, least_line_deviation), {}};
  std::vector<double> sums(std::min(blocks, edge.values.size()));
  for (size_t i = 0; i < edge.values.size(); ++i) sums[i * sums.size() / edge.values.size()] += edge.values[i];
  line.rough = normalised(sums, 0);
  line.plain = rises_of(line.whole) < 2;
  return line;
}

double apart(const Line& a, const Line& b) {
  int64_t sum = 0;
  for (size_t i = 0; i < a.edge->values.size(); ++i) sum += std::abs(a.edge->values[i] - b.edge->values[i]);
  return static_cast<double>(sum) / static_cast<double>(a.edge->values.size());
}

struct Match {
  size_t place = 0;
  double correlation = 0;
};

// Their correlation, or nothing where they do not fit. `cut`: the set is known to be.
std::optional<double> fit_of(const Line& a, const Line& b, bool cut) {
  const bool plain = a.plain || b.plain;
  if (a.picture == b.picture || (plain && !cut) || product(a.rough, b.rough) < least_block_correlation)
    return std::nullopt;
  const double correlation = product(a.whole, b.whole);
  const double steps = apart(a, b) / ((a.edge->step + b.edge->step) / 2);
  const bool fits = correlation >= (plain ? least_plain_correlation : least_edge_correlation) &&
                    steps <= (plain ? most_plain_step : most_step);
  return fits ? std::optional(correlation) : std::nullopt;
}

std::vector<Likeness> continued(const std::vector<Line>& ends, const std::vector<Line>& starts, bool cut) {
  std::vector<Match> of_end(ends.size()), of_start(starts.size());
  for (size_t e = 0; e < ends.size(); ++e) {
    for (size_t s = 0; s < starts.size(); ++s) {
      const double correlation = fit_of(ends[e], starts[s], cut).value_or(0);
      if (correlation > of_end[e].correlation) of_end[e] = {s, correlation};
      if (correlation > of_start[s].correlation) of_start[s] = {e, correlation};
    }
  }
  std::vector<Likeness> pairs;
  for (size_t e = 0; e < ends.size(); ++e) {
    const Match& match = of_end[e];
    if (match.correlation == 0 || of_start[match.place].place != e) continue;
    const size_t a = ends[e].picture, b = starts[match.place].picture;
    pairs.push_back({std::min(a, b), std::max(a, b), match.correlation, 0});
  }
  return pairs;
}

// ---- near copies ----

bool fits(const Fingerprint& a, const Fingerprint& b, int orientation) {
  const bool lying = orientation % 2 == 1;
  const double one = static_cast<double>(a.width) / a.height;
  const double other = lying ? static_cast<double>(b.height) / b.width : static_cast<double>(b.width) / b.height;
  return std::abs(one / other - 1) <= same_shape;
}

std::vector<float> normalised_thumbnail(const std::vector<uint8_t>& bytes) {
  return normalised({bytes.begin(), bytes.end()}, 0);
}

std::optional<Likeness> likeness_of(size_t i, size_t j, const Fingerprint& a, const Fingerprint& b) {
  std::optional<Likeness> best;
  for (int orientation = 0; orientation < orientations; ++orientation) {
    if (std::popcount(a.hashes[0] ^ b.hashes[orientation]) > most_hash_distance || !fits(a, b, orientation)) continue;
    const double correlation =
        product(normalised_thumbnail(a.thumbnail), normalised_thumbnail(oriented(b.thumbnail, orientation)));
    if (correlation >= least_likeness && (!best || correlation > best->correlation))
      best = {i, j, correlation, orientation};
  }
  return best;
}

}  // namespace

std::vector<std::vector<size_t>> copies_in(const Prints& prints) {
  std::map<std::string, std::vector<size_t>> by_digest;
  for (size_t i = 0; i < prints.size(); ++i) by_digest[prints[i]->pixels].push_back(i);
  std::vector<std::vector<size_t>> sets;
  for (auto& [digest, members] : by_digest) {
    if (members.size() > 1) sets.push_back(std::move(members));
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

std::vector<Likeness> near_copies_in(const Prints& prints) {
  std::vector<Likeness> pairs;
  for (size_t i = 0; i < prints.size(); ++i) {
    if (prints[i]->thumbnail.empty()) continue;
    for (size_t j = i + 1; j < prints.size(); ++j) {
      if (prints[j]->thumbnail.empty() || prints[i]->pixels == prints[j]->pixels) continue;
      if (const auto pair = likeness_of(i, j, *prints[i], *prints[j])) pairs.push_back(*pair);
    }
  }
  return pairs;
}

namespace {

std::vector<Likeness> pairs_of_sides(const Prints& prints, bool cut) {
  std::vector<Likeness> pairs;
  for (const auto& [end, start] : {std::pair(right, left), std::pair(bottom, top)}) {
    std::map<size_t, std::pair<std::vector<Line>, std::vector<Line>>> by_length;
    for (size_t i = 0; i < prints.size(); ++i) {
      auto& [ends, starts] = by_length[prints[i]->lines[end].values.size()];
      for (const auto& [lines, side] : {std::pair(&ends, end), std::pair(&starts, start)}) {
        Line line = line_from(i, prints[i]->lines[side]);
        if (!line.whole.empty() && !line.rough.empty()) lines->push_back(std::move(line));
      }
    }
    for (const auto& [length, lines] : by_length) {
      const auto more = continued(lines.first, lines.second, cut);
      pairs.insert(pairs.end(), more.begin(), more.end());
    }
  }
  std::sort(pairs.begin(), pairs.end(), [](const Likeness& a, const Likeness& b) {
    return std::pair(a.first, a.second) < std::pair(b.first, b.second);
  });
  return pairs;
}

}  // namespace

std::vector<Likeness> touching_in(const Prints& prints) {
  std::vector<Likeness> pairs = pairs_of_sides(prints, false);
  std::set<size_t> paired;
  for (const Likeness& pair : pairs) paired.insert({pair.first, pair.second});
  const bool cut = static_cast<double>(paired.size()) >= least_cut_share * static_cast<double>(prints.size());
  return cut && !pairs.empty() ? pairs_of_sides(prints, true) : pairs;
}

std::vector<size_t> grouped(size_t count, const std::vector<std::pair<size_t, size_t>>& links) {
  std::vector<size_t> first(count);
  std::iota(first.begin(), first.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (first[i] != i) i = first[i] = first[first[i]];
    return i;
  };
  for (const auto& [a, b] : links) {
    const size_t x = root(a), y = root(b);
    first[std::max(x, y)] = std::min(x, y);
  }
  for (size_t i = 0; i < count; ++i) first[i] = root(i);
  return first;
}

}  // namespace penstock::stages
