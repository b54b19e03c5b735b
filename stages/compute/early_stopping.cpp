#include "stages/compute/early_stopping.h"

#include <cmath>

namespace penstock::stages {
namespace {

bool better(double value, double than, bool larger, double by) { return larger ? value > than + by : value < than - by; }

pipeline::Value or_null(const std::optional<double>& value) { return value ? pipeline::Value(*value) : pipeline::Value(nullptr); }

std::optional<double> or_none(const pipeline::Value& json) { return json.is_null() ? std::nullopt : std::optional<double>(json.get<double>()); }

}  // namespace

bool BestEpoch::update(int64_t epoch, double value, bool last) {
  if (std::isnan(value) || (epoch % every_ != 0 && !last)) return false;
  if (value_ && !better(value, *value_, larger_, 0)) return false;
  value_ = value;
  epoch_ = epoch;
  return true;
}

pipeline::Value BestEpoch::to_json() const { return {{"epoch", epoch_}, {"value", or_null(value_)}}; }

void BestEpoch::restore(const pipeline::Value& json) {
  epoch_ = json.at("epoch");
  value_ = or_none(json.at("value"));
}

bool EarlyStopping::update(int64_t epoch, double value) {
  if (!std::isnan(value) && (!best_ || better(value, *best_, larger_, min_delta_))) {
    best_ = value;
    waited_ = 0;
  } else if (epoch > warm_up_) {
    ++waited_;
  }
  return patience_ > 0 && epoch > warm_up_ && waited_ >= patience_;
}

pipeline::Value EarlyStopping::to_json() const { return {{"waited", waited_}, {"best", or_null(best_)}}; }

void EarlyStopping::restore(const pipeline::Value& json) {
  waited_ = json.at("waited");
  best_ = or_none(json.at("best"));
}

}  // namespace penstock::stages
