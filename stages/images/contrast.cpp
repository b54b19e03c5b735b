#include "stages/images/contrast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/check.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {
namespace {

constexpr double share_below = 0.001;
// Fewer than 64 of 256 levels would be left.
constexpr int quarter = 16384;

bool never(const Limits&, bool) { return false; }
bool always(const Limits& limits, bool) { return limits.low < limits.high; }
bool where_little_is_used(const Limits& limits, bool repeats_8_bits) {
  return limits.low < limits.high && limits.high - limits.low < quarter && !repeats_8_bits;
}

// Of every `step`th value from `first` on.
struct Values {
  const uint16_t* first;
  size_t count, step;
};

Limits limits_of(const Values& values, bool& repeats_8_bits) {
  std::vector<size_t> histogram(65536);
  for (size_t i = 0; i < values.count; ++i) ++histogram[values.first[i * values.step]];
  repeats_8_bits = true;
  for (size_t v = 0; v < histogram.size(); ++v) repeats_8_bits &= histogram[v] == 0 || v % 257 == 0;
  // The value at a place of the sorted values.
  const auto at = [&](size_t place) { return static_cast<uint16_t>(value_at_place(histogram, place)); };
  const double last = static_cast<double>(values.count - 1);
  const Limits limits{at(static_cast<size_t>(std::floor(share_below * last))),
                      at(static_cast<size_t>(std::ceil((1 - share_below) * last)))};
  return limits.low < limits.high ? limits : Limits{at(0), at(values.count - 1)};
}

}  // namespace

const std::vector<ContrastRule>& contrast_rules() {
  static const std::vector<ContrastRule> rules = {
      {"auto", "percentile where 0.1 % to 99.9 % of a picture's values span less than a quarter of 16 bits, else scale",
       where_little_is_used},
      {"scale", "0 to 65535 become 0 to 255 in every picture", never},
      {"percentile", "the values at 0.1 % and 99.9 % of each picture become 0 and 255, those beyond are cut", always},
      {"root", "likewise, by the root of what is above the lower, so that dim objects beside bright ones keep levels",
       always, true},
  };
  return rules;
}

const ContrastRule& contrast_rule(std::string_view name) {
  const auto& rules = contrast_rules();
  const auto row =
      std::find_if(rules.begin(), rules.end(), [&](const ContrastRule& rule) { return rule.name == name; });
  PENSTOCK_CHECK(row != rules.end(), fmt::format("there is no contrast '{}'", name));
  return *row;
}

namespace {

// Every `step`th value from `first` on, stretched so that the limits become 0 and the largest of T.
template <typename T>
void stretch(const Values& values, const Limits& limits, bool root, T* to) {
  constexpr uint64_t most = std::numeric_limits<T>::max();
  const uint64_t span = limits.high - limits.low;
  for (size_t i = 0; i < values.count; ++i, to += values.step) {
    const uint64_t above = std::clamp(values.first[i * values.step], limits.low, limits.high) - limits.low;
    *to = root ? static_cast<T>(std::lround(most * std::sqrt(static_cast<double>(above) / static_cast<double>(span))))
               : static_cast<T>((above * 2 * most + span) / (2 * span));
  }
}

}  // namespace

Image with_contrast(Image image, const ContrastRule& rule, int bits, std::vector<Limits>& taken) {
  check_whole(image);
  taken.clear();
  if (image.bits == 8) return image;
  const auto channels = static_cast<size_t>(image.channels), groups = image.measured ? channels : 1;
  auto* wide = reinterpret_cast<uint16_t*>(image.bytes.data());
  struct Group {
    Values values;
    Limits used = {0, 65535};
    bool stretched = false;
  };
  std::vector<Group> found;
  bool repeat = true, any = false;
  for (size_t group = 0; group < groups; ++group) {
    Group one{{wide + group, image.values() / groups, groups}};
    bool repeats = false;
    const Limits limits = limits_of(one.values, repeats);
    one.stretched = rule.stretches(limits, repeats);
    if (one.stretched) one.used = limits;
    repeat &= repeats, any |= one.stretched;
    found.push_back(one);
  }
  const bool narrows = bits == 8 || repeat;
  if (any) {
    for (const Group& one : found) taken.push_back(one.used);
  } else if (!narrows) {
    return image;
  }
  std::vector<uint8_t> narrow(narrows ? image.values() : 0);
  for (size_t group = 0; group < groups; ++group) {
    const Group& one = found[group];
    const bool root = one.stretched && rule.root;
    narrows ? stretch(one.values, one.used, root, &narrow[group])
            : stretch(one.values, one.used, root, wide + group);  // where they are
  }
  if (narrows) image.bytes = std::move(narrow), image.bits = 8;
  return image;
}

}  // namespace penstock::stages
