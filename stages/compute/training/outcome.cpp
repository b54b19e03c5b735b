#include "stages/compute/training/outcome.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/error.h"
#include "stages/training/schedules.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// No sum of products of pixels and weights of this size is a segmentation: the training has diverged.
constexpr float absurd_weight = 1e6f;

void say_what_is_not_validated(const TrainParameters& parameters, const std::string& stage) {
  const bool best = parameters.final_weights == "best" && is_of_validation(parameters.monitor);
  const bool stopping = parameters.stop_patience > 0 && is_of_validation(parameters.stop_monitor);
  const bool plateaus = schedule_rule(parameters.schedule).on_plateaus && is_of_validation(parameters.plateau_monitor);
  spdlog::warn(
      "{}: there is no validation subset: nothing is measured on it{}{}{}; a split.validation above 0 makes one", stage,
      best ? ", no epoch is the best, the last one's weights are published" : "",
      stopping ? ", early stopping is off" : "", plateaus ? ", the learning rate stays as it is" : "");
}

}  // namespace

void say_what_has_no_effect(const TrainParameters& parameters, const std::string& stage, bool validates) {
  if (!validates) say_what_is_not_validated(parameters, stage);
  if (parameters.warm_up > static_cast<double>(parameters.epochs)) {
    spdlog::warn("{}: warm_up = {} is longer than the training's {} epochs: the learning rate never gets to lr = {}",
                 stage, parameters.warm_up, parameters.epochs, parameters.lr);
  }
}

void require_usable(const Value& epochs, const Weights& weights, const TrainParameters& parameters) {
  const auto nothing = [](const Value& row) { return row.at("train").at("loss").is_null(); };
  if (std::all_of(epochs.begin(), epochs.end(), nothing)) {
    throw Error(ExitCode::data, fmt::format("every step of all {} epochs was left out (on_nan = \"{}\"): nothing was "
                                            "trained; a smaller lr than {} or clip_norm may help",
                                            epochs.size(), parameters.on_nan, parameters.lr));
  }
  const auto require = [&](const std::vector<float>& values, float most, const char* what) {
    for (const float value : values) {
      if (std::abs(value) <= most) continue;  // false for a NaN
      throw Error(ExitCode::data,
                  fmt::format("the training has diverged: {} of its final weights is {:.3g}; a smaller lr than {}, "
                              "clip_norm or another norm may help; nothing is published",
                              what, value, parameters.lr));
    }
  };
  require(weights.parameters, absurd_weight, "a parameter");
  require(weights.statistics, std::numeric_limits<float>::max(), "a running statistic");
}

}  // namespace penstock::stages
