#include "stages/training/training_rules.h"

#include <cmath>

namespace penstock::stages {
namespace {

bool better(double value, double than, bool larger, double by) {
  return larger ? value > than + by : value < than - by;
}

bool larger_monitor(const TrainParameters& parameters) {
  return parameters.mode == "auto" ? larger_is_better(parameters.monitor) : parameters.mode == "max";
}

}  // namespace

bool BestEpoch::update(int64_t epoch, double value, bool last) {
  if (std::isnan(value) || (epoch % every_ != 0 && !last)) return false;
  if (value_ && !better(value, *value_, larger_, 0)) return false;
  value_ = value;
  epoch_ = epoch;
  return true;
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

double figure_of(const std::string& name, const pipeline::Value& row) {
  const bool validation = name.starts_with("val_");
  const std::string key = validation ? name.substr(4) : name;
  const pipeline::Value& part = validation && !row.at("validation").is_null() ? row.at("validation") : row.at("train");
  return part.at(key).is_number() ? part.at(key).get<double>() : std::nan("");
}

TrainingRules::TrainingRules(const TrainParameters& parameters)
    : monitor_(parameters.monitor),
      stop_monitor_(parameters.stop_monitor),
      epochs_(parameters.epochs),
      larger_(larger_monitor(parameters)),
      best_(larger_, parameters.every),
      stopping_(larger_is_better(parameters.stop_monitor), parameters.stop_patience, parameters.stop_min_delta,
                parameters.stop_warm_up) {}

TrainingRules::Decision TrainingRules::update(int64_t epoch, const pipeline::Value& row) {
  Decision decision;
  decision.best = best_.update(epoch, figure_of(monitor_, row), epoch == epochs_);
  decision.stop = stopping_.update(epoch, figure_of(stop_monitor_, row));
  return decision;
}

TrainingRules::Decision TrainingRules::replay(const pipeline::Value& rows, bool* stopped_before) {
  Decision last;
  *stopped_before = false;
  for (const pipeline::Value& row : rows) {
    *stopped_before = *stopped_before || last.stop;
    last = update(row.at("epoch"), row);
  }
  return last;
}

}  // namespace penstock::stages
