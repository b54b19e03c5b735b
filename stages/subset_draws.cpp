#include "stages/subset_draws.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "distributed/error.h"
#include "pipeline/counted.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

using pipeline::counted;
using pipeline::Value;

// Samples in the order of u = H(seed, id). What comes first is drawn first, so a sample that is added moves at most
// those at the borders of the subsets: three, where both shares gain one.
std::vector<std::string> ranked(const std::vector<std::string>& ids, int64_t seed) {
  std::vector<std::pair<uint64_t, std::string>> keyed;
  for (const std::string& id : ids) keyed.emplace_back(Draws(seed, "split", {}, id).bits(0), id);
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::string> order;
  for (const auto& [u, id] : keyed) order.push_back(id);
  return order;
}

// `wanted` of all samples, divided over strata of these sizes as evenly as whole samples allow: each gets the whole
// part of its share, the largest remainders one more (the earlier of equals).
std::vector<size_t> divided(size_t wanted, const std::vector<size_t>& sizes) {
  size_t all = 0, given = 0;
  for (const size_t size : sizes) all += size;
  std::vector<size_t> parts;
  std::vector<std::pair<size_t, size_t>> remainders;  // (what is left of size * wanted / all, place), largest first
  for (const size_t size : sizes) {
    parts.push_back(size * wanted / all);
    given += parts.back();
    remainders.emplace_back(all - size * wanted % all, remainders.size());
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < wanted; ++i, ++given) ++parts[remainders[i].second];
  return parts;
}

// A share of `samples`, to the nearest whole one; a share above 0 is one sample at least.
size_t counted_share(double share, size_t samples) {
  return share == 0 ? 0 : std::max<size_t>(1, static_cast<size_t>(std::llround(share * static_cast<double>(samples))));
}

// Groups that are still to be given to a subset, in the order of their u.
using OpenGroups = std::vector<std::vector<std::string>>;

// Takes whole groups, in order, as long as each brings the count of samples nearer to `wanted`: at least one, the first
// that holds at most twice as many or is one of the smallest; and leaves `rest` groups.
std::vector<std::string> take_groups(OpenGroups& open, size_t wanted, size_t rest) {
  std::vector<std::string> taken;
  if (wanted == 0 || open.size() <= rest) return taken;
  const auto smallest = std::min_element(open.begin(), open.end(), [](const auto& a, const auto& b) {
                          return a.size() < b.size();
                        })->size();
  OpenGroups left;
  bool closed = false;
  for (size_t i = 0; i < open.size(); ++i) {
    const size_t size = open[i].size(), lacking = wanted - std::min(wanted, taken.size());
    const bool nearer = taken.empty() ? size <= std::max(2 * wanted, smallest) : size < 2 * lacking;
    closed |= !taken.empty() && !nearer;
    if (!closed && nearer && open.size() - i + left.size() > rest)
      taken.insert(taken.end(), open[i].begin(), open[i].end());
    else
      left.push_back(open[i]);
  }
  open = std::move(left);
  return taken;
}

// The parts of a k-fold: each group goes to the part that has fewest samples so far.
void take_fold(OpenGroups& open, const Fold& fold, Subsets& subsets) {
  std::vector<size_t> sizes(static_cast<size_t>(fold.of));
  for (const auto& group : open) {
    const auto part = std::min_element(sizes.begin(), sizes.end()) - sizes.begin();
    sizes[part] += group.size();
    auto& subset = subsets[part == fold.number - 1 ? "validation" : "train"];
    subset.insert(subset.end(), group.begin(), group.end());
  }
  open.clear();
}

}  // namespace

std::optional<Fold> fold_of(const std::string& text) {
  Fold fold;
  int read = 0;
  if (std::sscanf(text.c_str(), "%3ld/%3ld%n", &fold.number, &fold.of, &read) != 2) return std::nullopt;
  const bool whole =
      read == static_cast<int>(text.size()) && fold.of >= 2 && fold.number >= 1 && fold.number <= fold.of;
  return whole ? std::optional(fold) : std::nullopt;
}

Subsets draw_subsets(const std::vector<std::vector<std::string>>& strata, const Shares& shares) {
  std::vector<size_t> sizes;
  size_t samples = 0;
  for (const auto& ids : strata) sizes.push_back(ids.size()), samples += ids.size();
  if (samples == 0) return {};
  size_t test = counted_share(shares.test, samples), validation = 0;
  const auto& fold = shares.fold;
  if (!fold) {
    validation = counted_share(shares.validation, samples);
    while (test + validation >= samples) --(test > validation ? test : validation);  // train gets one
  }
  const std::vector<size_t> tests = divided(test, sizes);
  std::vector<size_t> left = sizes;
  for (size_t i = 0; i < left.size(); ++i) left[i] -= tests[i];
  const std::vector<size_t> validations = divided(validation, left);
  Subsets subsets;
  size_t left_before = 0;  // of the strata before, without their test samples: folds go on where the last one ended
  for (size_t stratum = 0; stratum < strata.size(); ++stratum) {
    const std::vector<std::string> order = ranked(strata[stratum], shares.seed);
    for (size_t i = 0; i < order.size(); ++i) {
      const bool tested = i < tests[stratum];
      const bool validated = fold
                                 ? static_cast<int64_t>(left_before + i - tests[stratum]) % fold->of == fold->number - 1
                                 : i < tests[stratum] + validations[stratum];
      subsets[tested ? "test" : validated ? "validation" : "train"].push_back(order[i]);
    }
    left_before += order.size() - tests[stratum];
  }
  return subsets;
}

Subsets draw_groups(const std::vector<std::string>& ids, const Groups& groups, const Shares& shares) {
  std::map<std::string, std::vector<std::string>> members;
  for (const std::string& id : ids) {
    const auto group = groups.find(id);
    if (group == groups.end())
      throw Error(ExitCode::data, "split.by = \"group\": inspect's metadata say no group of the sample '" + id + "'");
    members[group->second].push_back(id);
  }
  const auto& fold = shares.fold;
  const size_t parts = fold ? static_cast<size_t>(fold->of) : 1 + (shares.validation > 0);
  if (members.size() < parts + (shares.test > 0)) {
    throw Error(ExitCode::data, fmt::format("split.by = \"group\": {} form only {}, which cannot fill "
                                            "{} {}; give more pictures, or by = \"random\"",
                                            counted(static_cast<int64_t>(ids.size()), "labelled sample"),
                                            counted(static_cast<int64_t>(members.size()), "group"),
                                            parts + (shares.test > 0), fold ? "folds and a test subset" : "subsets"));
  }
  std::vector<std::string> names;
  for (const auto& [name, of] : members) names.push_back(name);
  OpenGroups open;
  for (const std::string& name : ranked(names, shares.seed)) open.push_back(members.at(name));
  Subsets subsets;
  subsets["test"] = take_groups(open, counted_share(shares.test, ids.size()), parts);
  if (fold)
    take_fold(open, *fold, subsets);
  else
    subsets["validation"] = take_groups(open, counted_share(shares.validation, ids.size()), 1);
  for (const auto& group : open) subsets["train"].insert(subsets["train"].end(), group.begin(), group.end());
  return subsets;
}

Value leakage_of(const Subsets& subsets, const Groups& groups) {
  std::map<std::string, Subsets> by_group;
  size_t held_out = 0, related = 0;
  for (const auto& [subset, ids] : subsets) {
    held_out += subset == "train" ? 0 : ids.size();
    for (const std::string& id : ids) {
      const auto group = groups.find(id);
      if (group != groups.end()) by_group[group->second][subset].push_back(id);
    }
  }
  Value leaking = Value::array();
  for (const auto& [group, of] : by_group) {
    if (of.size() < 2) continue;
    Value row = {{"group", group}};
    for (const auto& [subset, ids] : of) {
      row[subset] = ids;
      related += subset == "train" ? 0 : ids.size();
    }
    leaking.push_back(std::move(row));
  }
  return {{"held_out", held_out}, {"related", related}, {"groups", leaking}};
}

}  // namespace penstock::stages
