#include "stages/training/targets.h"

#include <algorithm>

#include "distributed/check.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

namespace {

OpenTable<TargetRule>& table() {
  static OpenTable<TargetRule> rules(
      "target",
      {
          {"mask", "whether a pixel is of any object", TargetKind::mask, "foreground"},
          {"border",
           "whether two objects meet within border_radius pixels of it, so that eval can tell touching ones apart",
           TargetKind::border, "border"},
          {"interior",
           "whether all pixels within interior_radius of it are of one object: what is left of each object when its "
           "edge is taken away, apart from its neighbours",
           TargetKind::interior, "interior"},
          {"distance",
           "how far it is from the nearest pixel that is not of its object, as a share of distance_limit, which is the "
           "most: objects are hills with a valley between touching ones",
           TargetKind::distance, "distance", "bce"},  // overlaps, as Dice, are best for values of 0 and 1 alone
          {"horizontal",
           "how far from the left to the right end of its object, in its row, it lies; together with vertical it says "
           "in which direction the middle of the object is",
           TargetKind::horizontal, "horizontal", "bce"},
          {"vertical", "how far from the upper to the lower end of its object, in its column, it lies",
           TargetKind::vertical, "vertical", "bce"},
      });
  return rules;
}

}  // namespace

const std::vector<TargetRule>& target_rules() { return table().rows(); }

void add_row(TargetRule rule) {
  PENSTOCK_CHECK(rule.kind == TargetKind::own && rule.own != nullptr, "a program's own target has its function");
  table().add(std::move(rule));
}

const TargetRule& own_target(const Target& target) {
  PENSTOCK_CHECK(target.kind == TargetKind::own, "its row is that of a program's own target");
  return target_rules().at(static_cast<size_t>(target.radius));
}

TargetList target_list(const std::vector<std::string>& names, const TargetRadii& radii) {
  PENSTOCK_CHECK(fault_of_targets(names).empty(), "a network's targets are the mask and others, each once");
  TargetList list;
  for (const std::string& name : names) {
    const TargetRule& rule = row_of(target_rules(), "target", name);
    const TargetKind kind = rule.kind;
    const int64_t radius = kind == TargetKind::own        ? &rule - target_rules().data()
                           : kind == TargetKind::interior ? radii.interior
                           : kind == TargetKind::distance ? radii.distance
                                                          : radii.border;
    list.targets[list.count++] = {kind, static_cast<int32_t>(radius)};
  }
  return list;
}

TargetList with_nearness(TargetList targets, int64_t sigma) {
  PENSTOCK_CHECK(sigma > 0 && targets.count <= most_targets, "nearness follows the targets, once");
  targets.targets[targets.count++] = {TargetKind::nearness, static_cast<int32_t>(sigma)};
  return targets;
}

std::string fault_of_targets(const std::vector<std::string>& names) {
  if (names.empty() || names.front() != "mask")
    return "the first target is \"mask\", from which figures are taken; others may follow";
  for (const std::string& name : names) {
    if (std::count(names.begin(), names.end(), name) > 1) return "\"" + name + "\" stands there twice";
  }
  if (names.size() > static_cast<size_t>(most_targets))
    return "a network has " + std::to_string(most_targets) + " targets at most";
  const auto has = [&](TargetKind kind) { return channel_of(names, kind) >= 0; };
  if (has(TargetKind::horizontal) != has(TargetKind::vertical))
    return "\"horizontal\" and \"vertical\" are of use together alone";
  return "";
}

int channel_of(const std::vector<std::string>& names, TargetKind kind) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (row_of(target_rules(), "target", names[i]).kind == kind) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace penstock::stages
