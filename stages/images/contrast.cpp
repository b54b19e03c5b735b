#include "stages/images/contrast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distributed/check.h"

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
  const auto at = [&](size_t place) {
    size_t v = 0;
    for (size_t below = histogram[0]; below <= place; below += histogram[++v]) {
    }
    return static_cast<uint16_t>(v);
  };
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

Image with_contrast(Image image, const ContrastRule& rule, std::vector<Limits>& taken) {
  check_whole(image);
  taken.clear();
  if (image.bits == 8) return image;
  const auto channels = static_cast<size_t>(image.channels), groups = image.measured ? channels : 1;
  const auto* wide = reinterpret_cast<const uint16_t*>(image.bytes.data());
  std::vector<uint8_t> narrow(image.values());
  bool any = false;
  for (size_t group = 0; group < groups; ++group) {
    const Values values{wide + group, image.values() / groups, groups};
    bool repeats = false;
    const Limits limits = limits_of(values, repeats);
    const bool stretched = rule.stretches(limits, repeats);
    any |= stretched;
    taken.push_back(stretched ? limits : Limits{0, 65535});
    const Limits used = taken.back();
    const uint32_t span = used.high - used.low;
    for (size_t i = group; i < narrow.size(); i += groups) {
      const uint32_t above = std::clamp(wide[i], used.low, used.high) - used.low;
      narrow[i] = stretched && rule.root
                      ? static_cast<uint8_t>(std::lround(255 * std::sqrt(static_cast<double>(above) / span)))
                      : static_cast<uint8_t>((above * 510 + span) / (2 * span));
    }
  }
  if (!any) taken.clear();
  image.bytes = std::move(narrow);
  image.bits = 8;
  return image;
}

}  // namespace penstock::stages
