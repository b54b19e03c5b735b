#include "stages/audit/relations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>

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
};

Line line_from(size_t picture, const EdgeLine& edge) {
  Line line{picture, &edge, normalised({edge.values.begin(), edge.values.end()}, least_line_deviation), {}};
  std::vector<double> sums(std::min(blocks, edge.values.size()));
  for (size_t i = 0; i < edge.values.size(); ++i) sums[i * sums.size() / edge.values.size()] += edge.values[i];
  line.rough = normalised(sums, 0);
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

std::vector<Likeness> continued(const std::vector<Line>& ends, const std::vector<Line>& starts) {
  std::vector<Match> of_end(ends.size()), of_start(starts.size());
  for (size_t e = 0; e < ends.size(); ++e) {
    for (size_t s = 0; s < starts.size(); ++s) {
      if (ends[e].picture == starts[s].picture) continue;
      if (product(ends[e].rough, starts[s].rough) < least_block_correlation) continue;
      const double correlation = product(ends[e].whole, starts[s].whole);
      if (correlation < least_edge_correlation) continue;
      const double inside = (ends[e].edge->step + starts[s].edge->step) / 2;
      if (apart(ends[e], starts[s]) > most_step * inside) continue;
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

std::vector<Likeness> touching_in(const Prints& prints) {
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
      const auto more = continued(lines.first, lines.second);
      pairs.insert(pairs.end(), more.begin(), more.end());
    }
  }
  std::sort(pairs.begin(), pairs.end(), [](const Likeness& a, const Likeness& b) {
    return std::pair(a.first, a.second) < std::pair(b.first, b.second);
  });
  return pairs;
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
