// A synthetic set of pictures and label maps, and the faults that the audit shall find in it.
#pragma once

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "stages/audit/audit.h"
#include "stages/draws.h"

namespace penstock::stages {

struct FaultySample {
  Image picture;
  LabelMap map;
  int64_t empty_masks = 0, overlaps = 0;
  int bits = 8;
  std::string look = "fluorescence";
  bool labelled = true;
};

// Dark, uneven, noisy, with bright discs of 7 to 12 pixels radius that do not touch each other.
inline FaultySample drawn_sample(int64_t seed, int64_t number, int side = 128, uint64_t attempts = 30) {
  const Draws draws(seed, "audited", {number});
  FaultySample sample{{side, side, 1, 8, std::vector<uint8_t>(static_cast<size_t>(side) * side)},
                      {side, side, std::vector<Label>(static_cast<size_t>(side) * side)}};
  const double slope_x = draws.between(0, -10, 10), slope_y = draws.between(1, -10, 10);
  std::vector<std::array<double, 4>> discs;
  for (uint64_t i = 0; i < attempts; ++i) {
    const std::array<double, 4> disc = {draws.between(10 + 4 * i, 5, side - 5), draws.between(11 + 4 * i, 5, side - 5),
                                        draws.between(12 + 4 * i, 7, 12), draws.between(13 + 4 * i, 80, 150)};
    bool free = true;
    for (const auto& other : discs)
      free = free && std::hypot(disc[0] - other[0], disc[1] - other[1]) > disc[2] + other[2] + 3;
    if (free) discs.push_back(disc);
  }
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const size_t at = static_cast<size_t>(y) * side + x;
      double value = 25 + slope_x * x / side + slope_y * y / side + draws.between(10000 + at, -3, 3);
      for (size_t i = 0; i < discs.size(); ++i) {
        const double distance = std::hypot(x - discs[i][0], y - discs[i][1]);
        value += discs[i][3] / (1 + std::exp(1.5 * (distance - discs[i][2])));
        if (distance < discs[i][2]) sample.map.labels[at] = static_cast<Label>(i + 1);
      }
      sample.picture.bytes[at] = static_cast<uint8_t>(std::lround(value));
    }
  }
  return sample;
}

using FaultySet = std::vector<FaultySample>;

inline FaultySet drawn_set(int64_t seed, int samples) {
  FaultySet set;
  for (int i = 0; i < samples; ++i) set.push_back(drawn_sample(seed, i));
  return set;
}

inline std::string id_of(size_t number) {
  std::string digits = std::to_string(number);
  return "s" + std::string(4 - digits.size(), '0') + digits;
}

inline AuditedSet audited(const FaultySet& set) {
  std::vector<Measurements> rows;
  for (size_t i = 0; i < set.size(); ++i) {
    const FaultySample& sample = set[i];
    const pipeline::Value metadata = {{"id", id_of(i)},
                                      {"entry", id_of(i) + "/images/" + id_of(i) + ".png"},
                                      {"channels", sample.picture.channels},
                                      {"bits", sample.bits},
                                      {"look", sample.look}};
    rows.push_back(measured(sample.picture, sample.labelled ? &sample.map : nullptr, metadata,
                            {{"empty_masks", sample.empty_masks}, {"overlaps", sample.overlaps}}));
  }
  return audited(std::move(rows));
}

// One kind of fault: what is done to sample `at` of a set (and to the one behind it, where two take part).
struct InjectedFault {
  std::string name, rule;
  std::function<void(FaultySet& set, size_t at)> inject;
};
const std::vector<InjectedFault>& injected_faults();

}  // namespace penstock::stages
