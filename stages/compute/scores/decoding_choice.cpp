#include "stages/compute/scores/decoding_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/compute/scores/hole_filling.h"
#include "stages/compute/scores/instances.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/training/decoders.h"

namespace penstock::stages {
namespace {

// How far from the middle.
std::tuple<double, double, bool, int64_t> distance_of(const Decoding& decoding) {
  return {std::abs(decoding.threshold - 0.5), std::abs(decoding.rules.seed_threshold - 0.5), decoding.rules.fill_holes,
          decoding.rules.minimum_area};
}

// What may make objects of these targets: the decoder that is named, or with "validation" each that can.
std::vector<std::string> decoders_for(const std::string& chosen, const std::vector<std::string>& targets) {
  std::vector<std::string> able;
  if (chosen == "validation") {
    for (const DecoderRule& rule : decoder_rules()) {
      if (can_decode(rule, targets)) able.push_back(rule.name);
    }
    return able;
  }
  const DecoderRule& rule = decoder_rule(chosen == "auto" ? usual_decoder(targets) : chosen);
  if (can_decode(rule, targets)) return {rule.name};
  throw Error(ExitCode::config, fmt::format("eval.decoder = \"{}\" needs a network that has learned the target \"{}\" "
                                            "(train.targets); this one has not",
                                            rule.name, rule.target));
}

}  // namespace

pipeline::Value to_json(const Decoding& decoding) {
  pipeline::Value json = {{"threshold", decoding.threshold},
                          {"decoder", decoding.rules.decoder},
                          {"minimum_area", decoding.rules.minimum_area}};
  if (decoder_rule(decoding.rules.decoder).has_seeds) json["seed_threshold"] = decoding.rules.seed_threshold;
  if (decoding.rules.fill_holes) json["holes"] = "fill";
  return json;
}

Decoding decoding_from(const pipeline::Value& json, InstanceRules rules) {
  rules.decoder = json.at("decoder");
  rules.seed_threshold = json.value("seed_threshold", rules.seed_threshold);
  rules.fill_holes = json.value("holes", "keep") == "fill";
  rules.minimum_area = json.at("minimum_area");
  return {json.at("threshold"), rules};
}

const DecodingCandidates& usual_candidates() {
  static const DecodingCandidates usual = {
      {}, {0.3, 0.4, 0.5, 0.6, 0.7}, {0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95}, {false, true}, {0, 8, 16, 32, 64}};
  return usual;
}

std::vector<Decoding> combinations(const DecodingCandidates& candidates, const InstanceRules& rules) {
  std::vector<Decoding> all;
  const std::vector<double> no_seeds = {rules.seed_threshold};
  for (const std::string& decoder : candidates.decoders) {
    for (const double threshold : candidates.thresholds) {
      for (const double seed_threshold : decoder_rule(decoder).has_seeds ? candidates.seed_thresholds : no_seeds) {
        for (const bool fill_holes : candidates.fill_holes) {
          for (const int64_t minimum_area : candidates.minimum_areas) {
            Decoding decoding{threshold, rules};
            decoding.rules.decoder = decoder;
            decoding.rules.seed_threshold = seed_threshold;
            decoding.rules.fill_holes = fill_holes;
            decoding.rules.minimum_area = minimum_area;
            all.push_back(decoding);
          }
        }
      }
    }
  }
  return all;
}

DecodingPlan plan_decoding(const EvalParameters& parameters, const std::vector<std::string>& targets,
                           const InstanceRules& rules) {
  DecodingPlan plan{{0.5, rules}, {}, {}};
  const DecodingCandidates& usual = usual_candidates();
  DecodingCandidates& candidates = plan.candidates;
  candidates.decoders = decoders_for(parameters.decoder, targets);
  const bool has_seeds = std::any_of(candidates.decoders.begin(), candidates.decoders.end(),
                                     [](const std::string& name) { return decoder_rule(name).has_seeds; });
  // Without a validation subset nothing is chosen, and "validation" is what "auto" is.
  plan.given.rules.decoder = candidates.decoders.size() == 1 ? candidates.decoders.front() : usual_decoder(targets);
  if (const auto* area = std::get_if<int64_t>(&parameters.minimum_area))
    candidates.minimum_areas = {*area};
  else
    candidates.minimum_areas = usual.minimum_areas;
  candidates.fill_holes =
      parameters.holes == "validation" ? usual.fill_holes : std::vector<bool>{parameters.holes == "fill"};
  const auto* seed = std::get_if<double>(&parameters.seed_threshold);
  if (seed != nullptr && !has_seeds) {
    throw Error(ExitCode::config, fmt::format("eval.seed_threshold has no effect: the decoder \"{}\" has no seeds",
                                              fmt::join(candidates.decoders, "\", \"")));
  }
  if (seed != nullptr || !has_seeds)
    candidates.seed_thresholds = {seed != nullptr ? *seed : rules.seed_threshold};
  else
    candidates.seed_thresholds = usual.seed_thresholds;
  // An area is chosen by objects, and so is then what they are cut from.
  const bool by_objects = has_seeds || candidates.decoders.size() > 1 || candidates.minimum_areas.size() > 1 ||
                          candidates.fill_holes.size() > 1 || parameters.threshold == pipeline::NumberOrWord("objects");
  if (const auto* threshold = std::get_if<double>(&parameters.threshold))
    candidates.thresholds = {*threshold};
  else if (by_objects)
    candidates.thresholds = usual.thresholds;
  plan.given.rules.minimum_area = candidates.minimum_areas.size() > 1 ? 0 : candidates.minimum_areas.front();
  plan.given.rules.fill_holes = candidates.fill_holes.size() == 1 && candidates.fill_holes.front();
  if (candidates.seed_thresholds.size() == 1) plan.given.rules.seed_threshold = candidates.seed_thresholds.front();
  plan.combinations = combinations(candidates, plan.given.rules);
  return plan;
}

std::vector<double> object_scores(const PixelMaps& native, const LabelMap& truth, std::span<const Decoding> decodings) {
  std::vector<double> scores;
  FoundObjects cut;                            // of the last combination, without its holes and area
  std::optional<ObjectComparison> comparison;  // without its area
  const Decoding* decoded = nullptr;
  for (const Decoding& decoding : decodings) {
    const bool cut_alike = decoded != nullptr && decoded->threshold == decoding.threshold &&
                           decoded->rules.seed_threshold == decoding.rules.seed_threshold &&
                           decoded->rules.decoder == decoding.rules.decoder;
    if (!cut_alike) {
      InstanceRules rules = decoding.rules;
      rules.minimum_area = 0, rules.fill_holes = false;
      cut = find_objects(native, decoding.threshold, rules);
    }
    if (!cut_alike || decoded->rules.fill_holes != decoding.rules.fill_holes) {
      FoundObjects whole = cut;
      if (decoding.rules.fill_holes) fill_holes(whole);
      comparison.emplace(truth, whole);
    }
    decoded = &decoding;
    scores.push_back(comparison->scores(decoding.rules.minimum_area).map);
  }
  return scores;
}

const Decoding& best_decoding(std::span<const Decoding> decodings, std::span<const double> sums) {
  PENSTOCK_CHECK(!decodings.empty() && sums.size() == decodings.size(), "each combination has a sum of scores");
  size_t best = 0;
  for (size_t i = 1; i < decodings.size(); ++i) {
    if (sums[i] > sums[best] || (sums[i] == sums[best] && distance_of(decodings[i]) < distance_of(decodings[best])))
      best = i;
  }
  return decodings[best];
}

}  // namespace penstock::stages
