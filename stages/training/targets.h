// The choices of train.targets: what a network learns of each pixel, one output channel each. Pure. The value that a
// pixel should have is target_value() in device_arithmetic.h; a new target is a row here and a case there.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "stages/arithmetic/device_arithmetic.h"

namespace penstock::stages {

// Which object each pixel of a crop is of; 0 is background.
struct ObjectMap {
  const uint16_t* objects = nullptr;  // [height, width]
  int height = 0, width = 0;

  uint16_t at(int y, int x) const { return objects[static_cast<size_t>(y) * width + x]; }
};

struct TargetRule {
  std::string name, help;
  TargetKind kind = TargetKind::mask;
  std::string output;                                          // what the channel is called in model.json
  std::string loss = {};                                       // where losses.NAME is auto; empty: as train.loss says
  float (*own)(const ObjectMap& map, int y, int x) = nullptr;  // of kind own: the value of a pixel, in [0, 1]
};

const std::vector<TargetRule>& target_rules();
void add_row(TargetRule rule);  // of a user's own program, of kind own: compute/extensions.h

// The same value for each target, by name.
template <typename T>
std::map<std::string, T> for_each_target(const T& value) {
  std::map<std::string, T> all;
  for (const TargetRule& rule : target_rules()) all[rule.name] = value;
  return all;
}

struct TargetRadii {
  int64_t border = 1, interior = 2, distance = 8;  // pixels
};

// These targets, in their order, as many as the network has channels. An unknown name fails a check.
TargetList target_list(const std::vector<std::string>& names, const TargetRadii& radii = {});

// And the nearness of objects to each other, for the loss.
TargetList with_nearness(TargetList targets, int64_t sigma);

// What is wrong with a list of known targets, in words; empty: nothing. The mask comes first, and each once.
std::string fault_of_targets(const std::vector<std::string>& names);

// Fails a check where it is none of a user's own program.
const TargetRule& own_target(const Target& target);

// The channel of this target among `names`; -1 where it is not one of them.
int channel_of(const std::vector<std::string>& names, TargetKind kind);

}  // namespace penstock::stages
