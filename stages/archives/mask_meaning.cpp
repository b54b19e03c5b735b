#include "stages/archives/mask_meaning.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

struct NamedMeaning {
  MaskMeaning meaning;
  std::string_view name, help;
};
constexpr NamedMeaning meanings[] = {
    {MaskMeaning::objects, "objects", "each file is an object"},
    {MaskMeaning::labels, "labels", "each value of a file but 0 is an object"},
    {MaskMeaning::binary, "binary", "each connected area of what is not 0 is an object"},
    {MaskMeaning::colours, "colours",
     "each colour is an object, but black, or where half of the masks have none, the most frequent colour"},
    {MaskMeaning::pieces, "pieces", "each connected area of one value but 0 is an object"},
};

constexpr int64_t tiny_area = 3;             // pixels; values of such areas are shades
constexpr double least_share_largest = 0.8;  // of labelled pixels, for a value to be one object

// The 4-connected areas of pixels that `same` joins: for each pixel the index of its area, -1 outside. In the order of
// their first pixels from the top.
struct Areas {
  std::vector<int32_t> of;
  int32_t count = 0;
};

int32_t root_of(std::vector<int32_t>& parent, int32_t one) {
  while (parent[one] != one) one = parent[one] = parent[parent[one]];
  return one;
}

template <typename Inside, typename Same>
Areas areas_of(int width, int height, const Inside& inside, const Same& same) {
  Areas areas;
  areas.of.assign(static_cast<size_t>(width) * height, -1);
  std::vector<int32_t> parent;
  for (size_t at = 0, row = static_cast<size_t>(width); at < areas.of.size(); ++at) {
    if (!inside(at)) continue;
    const bool left = at % row > 0 && areas.of[at - 1] >= 0 && same(at, at - 1);
    const bool up = at >= row && areas.of[at - row] >= 0 && same(at, at - row);
    if (!left && !up) {
      areas.of[at] = static_cast<int32_t>(parent.size());
      parent.push_back(areas.of[at]);
      continue;
    }
    int32_t area = root_of(parent, areas.of[left ? at - 1 : at - row]);
    if (left && up) {
      const int32_t other = root_of(parent, areas.of[at - row]);
      parent[std::max(area, other)] = std::min(area, other);
      area = std::min(area, other);
    }
    areas.of[at] = area;
  }
  std::vector<int32_t> number(parent.size(), -1);
  for (int32_t one = 0; one < static_cast<int32_t>(parent.size()); ++one) {
    int32_t& mine = number[root_of(parent, one)];
    if (mine < 0) mine = areas.count++;
  }
  for (int32_t& area : areas.of) {
    if (area >= 0) area = number[root_of(parent, area)];
  }
  return areas;
}

Areas areas_of_values(const MaskNumbers& mask) {
  const auto& values = mask.values;
  return areas_of(
      mask.width, mask.height, [&](size_t at) { return values[at] != 0; },
      [&](size_t a, size_t b) { return values[a] == values[b]; });
}

uint64_t range_of(int bits) { return bits >= 32 ? uint64_t{1} << 32 : uint64_t{1} << bits; }

// A value's pixels, and those of its largest area.
struct ValueCount {
  int64_t pixels = 0;
  int64_t largest = 0;
};
using ValueCounts = std::map<uint32_t, ValueCount>;

ValueCounts count_values(const MaskNumbers& mask, const Areas& areas) {
  std::vector<int64_t> sizes(static_cast<size_t>(areas.count));
  std::vector<uint32_t> value(static_cast<size_t>(areas.count));
  for (size_t at = 0; at < areas.of.size(); ++at) {
    if (areas.of[at] < 0) continue;
    ++sizes[areas.of[at]];
    value[areas.of[at]] = mask.values[at];
  }
  ValueCounts counts;
  for (size_t area = 0; area < sizes.size(); ++area) {
    ValueCount& count = counts[value[area]];
    count.pixels += sizes[area];
    count.largest = std::max(count.largest, sizes[area]);
  }
  return counts;
}

// The rule in the header.
bool is_shaded(const MaskNumbers& mask, const ValueCounts& counts, int64_t pixels) {
  if (mask.colours || counts.size() < 3) return false;
  const auto tiny =
      std::count_if(counts.begin(), counts.end(), [](const auto& count) { return count.second.largest <= tiny_area; });
  const auto mode = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second.pixels < b.second.pixels; });
  return tiny * 2 >= static_cast<int64_t>(counts.size()) && mode->first >= range_of(mask.bits) / 8 * 7 &&
         mode->second.pixels * static_cast<int64_t>(counts.size()) > 2 * pixels;
}

LabelMap by_value(const MaskNumbers& mask, uint32_t background) {
  std::unordered_map<uint32_t, uint32_t> numbers;
  for (uint32_t last = background; const uint32_t value : mask.values) {
    if (value != background && value != last) numbers.emplace(value, 0);
    last = value;
  }
  std::vector<uint32_t> values;
  for (const auto& [value, number] : numbers) values.push_back(value);
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i) numbers[values[i]] = static_cast<uint32_t>(i + 1);
  LabelMap map{mask.height, mask.width, std::vector<Label>(mask.values.size())};
  for (size_t at = 0; at < mask.values.size(); ++at) {
    if (mask.values[at] != background) map.labels[at] = numbers.at(mask.values[at]);
  }
  return map;
}

LabelMap by_area(const Areas& areas, const MaskNumbers& mask) {
  LabelMap map{mask.height, mask.width, std::vector<Label>(mask.values.size())};
  for (size_t at = 0; at < areas.of.size(); ++at) map.labels[at] = static_cast<Label>(areas.of[at] + 1);
  return map;
}

// Where foreground begins: 1, or half of the range in a file with more than one value beside 0.
uint32_t threshold_in(const MaskNumbers& mask, bool half_range) {
  if (!half_range || mask.colours) return 1;
  uint32_t first = 0;
  for (const uint32_t value : mask.values) {
    if (value == 0 || value == first) continue;
    if (first != 0) return static_cast<uint32_t>(range_of(mask.bits) / 2);
    first = value;
  }
  return 1;
}

uint32_t background_of(const std::vector<NamedStatistics>& masks) {
  size_t black = 0;
  std::map<uint32_t, size_t> most;
  for (const NamedStatistics& mask : masks) {
    black += mask.statistics.black;
    ++most[mask.statistics.most_frequent];
  }
  if (black * 2 >= masks.size()) return 0;
  return std::max_element(most.begin(), most.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

double share_largest(const MaskStatistics& one) {
  return one.pixels == 0 ? 1 : static_cast<double>(one.largest) / static_cast<double>(one.pixels);
}

[[noreturn]] void refuse_unclear(const std::vector<NamedStatistics>& masks) {
  const auto worst = std::min_element(masks.begin(), masks.end(), [](const auto& a, const auto& b) {
    return share_largest(a.statistics) < share_largest(b.statistics);
  });
  throw Error(
      ExitCode::data,
      fmt::format("{}: the mask's {} values beside 0 stand for {} separate areas, so what masks mean must be said: "
                  "resize.masks = \"pieces\" (each area of one value is an object), \"labels\" (each value is "
                  "one) or \"binary\" (each area of what is not 0 is one)",
                  worst->name, worst->statistics.values, worst->statistics.areas));
}

}  // namespace

std::string_view name_of(MaskMeaning meaning) {
  const auto row = std::find_if(std::begin(meanings), std::end(meanings),
                                [meaning](const NamedMeaning& one) { return one.meaning == meaning; });
  PENSTOCK_CHECK(row != std::end(meanings), "every meaning of masks has a name");
  return row->name;
}

bool depends_on_the_set(MaskMeaning meaning) {
  return meaning == MaskMeaning::binary || meaning == MaskMeaning::colours;
}

std::vector<std::string> mask_choices() {
  std::vector<std::string> names = {"auto"};
  for (const NamedMeaning& one : meanings) names.emplace_back(one.name);
  return names;
}

std::string help_of_mask_choices() {
  std::string help =
      "what masks mean, for the whole data set: auto (objects where a sample has several mask files; binary where "
      "every "
      "mask has one value beside 0, or smoothed edges; colours or labels where each value is one area; else it must be "
      "said)";
  for (const NamedMeaning& one : meanings) help += fmt::format(", {} ({})", one.name, one.help);
  return help;
}

std::optional<MaskMeaning> mask_meaning_named(std::string_view name) {
  for (const NamedMeaning& one : meanings) {
    if (one.name == name) return one.meaning;
  }
  return std::nullopt;
}

MaskStatistics statistics_of(const MaskNumbers& mask) {
  const Areas areas = areas_of_values(mask);
  const ValueCounts counts = count_values(mask, areas);
  MaskStatistics result;
  result.values = static_cast<int64_t>(counts.size());
  result.areas = areas.count;
  result.colours = mask.colours;
  int64_t most = 0;
  for (const auto& [value, count] : counts) {
    result.pixels += count.pixels;
    result.largest += count.largest;
    if (count.pixels > most) most = count.pixels, result.most_frequent = value;
  }
  const int64_t black = static_cast<int64_t>(mask.values.size()) - result.pixels;
  result.black = black > 0;
  if (black >= most) result.most_frequent = 0;
  result.shaded = is_shaded(mask, counts, result.pixels);
  return result;
}

Value to_json(const MaskStatistics& one) {
  return {
      {"values", one.values},   {"areas", one.areas},   {"pixels", one.pixels}, {"largest", one.largest},
      {"colours", one.colours}, {"shaded", one.shaded}, {"black", one.black},   {"most_frequent", one.most_frequent}};
}

MaskStatistics mask_statistics_from(const Value& json) {
  return {json.at("values"),  json.at("areas"),  json.at("pixels"), json.at("largest"),
          json.at("colours"), json.at("shaded"), json.at("black"),  json.at("most_frequent")};
}

Value to_json(const MaskRule& rule) {
  return {{"meaning", name_of(rule.meaning)}, {"background", rule.background}, {"half_range", rule.half_range}};
}

MaskRule mask_rule_from(const Value& json) {
  const auto meaning = mask_meaning_named(json.at("meaning").get<std::string>());
  PENSTOCK_CHECK(meaning.has_value(), "a rule of masks names a meaning");
  return {*meaning, json.at("background"), json.at("half_range")};
}

MaskDecision decide_masks(std::optional<MaskMeaning> wanted, bool several, const std::vector<NamedStatistics>& masks) {
  std::vector<NamedStatistics> filled;
  int64_t single = 0, shaded = 0, colours = 0, pixels = 0, largest = 0;
  for (const NamedStatistics& mask : masks) {
    const MaskStatistics& one = mask.statistics;
    if (one.pixels == 0) continue;
    filled.push_back(mask);
    single += one.values == 1;
    shaded += one.shaded;
    colours += one.colours;
    pixels += one.pixels;
    largest += one.largest;
  }
  const auto count = static_cast<int64_t>(filled.size());
  const bool two_valued = single + shaded == count;
  MaskDecision decision;
  if (wanted) {
    decision = {{*wanted, 0, false}, "given"};
  } else if (several) {
    decision = {{MaskMeaning::objects, 0, false}, "a sample has several mask files"};
  } else if (two_valued) {
    decision = {{MaskMeaning::binary, 0, false},
                fmt::format("{} of {} masks with an object have one value beside 0{}", single, count,
                            shaded > 0 ? fmt::format(", {} smoothed edges", shaded) : "")};
  } else if (static_cast<double>(largest) >= least_share_largest * static_cast<double>(pixels)) {
    decision = {{colours > 0 ? MaskMeaning::colours : MaskMeaning::labels, 0, false},
                fmt::format("in {} masks {:.0f} % of the labelled pixels are in the largest area of their {}", count,
                            100.0 * static_cast<double>(largest) / static_cast<double>(pixels),
                            colours > 0 ? "colour" : "value")};
  } else {
    refuse_unclear(filled);
  }
  if (decision.rule.meaning == MaskMeaning::colours) decision.rule.background = background_of(masks);
  decision.rule.half_range = decision.rule.meaning == MaskMeaning::binary && shaded > 0;
  return decision;
}

LabelMap objects_in(const MaskNumbers& mask, const MaskRule& rule) {
  PENSTOCK_CHECK(rule.meaning != MaskMeaning::objects,
                 "a file that is an object is merged with others, not read alone");
  if (rule.meaning == MaskMeaning::binary) {
    const uint32_t threshold = threshold_in(mask, rule.half_range);
    const auto areas = areas_of(
        mask.width, mask.height, [&](size_t at) { return mask.values[at] >= threshold; },
        [](size_t, size_t) { return true; });
    return by_area(areas, mask);
  }
  if (rule.meaning == MaskMeaning::pieces) return by_area(areas_of_values(mask), mask);
  return by_value(mask, rule.background);
}

}  // namespace penstock::stages
