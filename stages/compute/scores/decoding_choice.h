// How eval chooses, on validation, what turns probabilities into objects: every combination of a few candidates is
// scored by its objects. Pure; any thread may call.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/compute/scores/decoders.h"
#include "stages/eval.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

struct Decoding {
  double threshold = 0.5;
  InstanceRules rules;

  bool operator==(const Decoding&) const = default;
};
// {"threshold", "decoder", "seed_threshold"?, "holes"?, "minimum_area"}
pipeline::Value to_json(const Decoding& decoding);
Decoding decoding_from(const pipeline::Value& json, InstanceRules rules);

// What may be chosen; a single candidate is given. No threshold: it is chosen by Dice (threshold_sweep.h).
struct DecodingCandidates {
  std::vector<std::string> decoders;
  std::vector<double> thresholds, seed_thresholds;
  std::vector<bool> fill_holes;
  std::vector<int64_t> minimum_areas;
};
// 0.3, 0.4 .. 0.7; 0.2, 0.3 .. 0.9, 0.95; no, yes; 0, 8, 16, 32, 64 native pixels.
const DecodingCandidates& usual_candidates();

// All combinations, by decoder, threshold, seed threshold (of those with seeds), holes and area.
std::vector<Decoding> combinations(const DecodingCandidates& candidates, const InstanceRules& rules);

// How a model with these targets is evaluated: what is given, and what is chosen on validation.
struct DecodingPlan {
  Decoding given;
  DecodingCandidates candidates;
  std::vector<Decoding> combinations;  // of the candidates

  bool by_objects() const { return combinations.size() > 1; }
};
// Throws Error(config) where the decoder needs a target that the network has not learned.
DecodingPlan plan_decoding(const EvalParameters& parameters, const std::vector<std::string>& targets,
                           const InstanceRules& rules);

// Of one image, the mean AP of each combination against native labels.
std::vector<double> object_scores(const PixelMaps& native, const LabelMap& truth, std::span<const Decoding> decodings);

// Of the best sum of scores; among equals nearest to (0.5, 0.5, holes kept, 0), then the first. `sums` has one for
// each.
const Decoding& best_decoding(std::span<const Decoding> decodings, std::span<const double> sums);

}  // namespace penstock::stages
