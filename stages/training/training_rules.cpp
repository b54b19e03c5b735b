#include "stages/training/training_rules.h"

#include <cmath>

#include "stages/training/schedules.h"

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
  if (!std::isfinite(value) || (epoch % every_ != 0 && !last)) return false;
  if (value_ && !better(value, *value_, larger_, 0)) return false;
  value_ = value;
  epoch_ = epoch;
  return true;
}

bool EarlyStopping::update(int64_t epoch, double value) {
  if (std::isfinite(value) && (!best_ || better(value, *best_, larger_, min_delta_))) {
    best_ = value;
    waited_ = 0;
  } else if (epoch > warm_up_) {
    ++waited_;
  }
  return patience_ > 0 && epoch > warm_up_ && waited_ >= patience_;
}

bool is_of_validation(const std::string& figure) { return figure.starts_with("val_"); }

double figure_of(const std::string& name, const pipeline::Value& row) {
  const bool validation = is_of_validation(name);
  const pipeline::Value& part = row.at(validation ? "validation" : "train");
  if (part.is_null()) return std::nan("");
  const pipeline::Value& figure = part.at(validation ? name.substr(4) : name);
  return figure.is_number() ? figure.get<double>() : std::nan("");
}

TrainingRules::TrainingRules(const TrainParameters& parameters)
    : monitor_(parameters.monitor),
      stop_monitor_(parameters.stop_monitor),
      epochs_(parameters.epochs),
      larger_(larger_monitor(parameters)),
      best_(larger_, parameters.every),
      stopping_(larger_is_better(parameters.stop_monitor), parameters.stop_patience, parameters.stop_min_delta,
                parameters.stop_warm_up),
      plateau_monitor_(schedule_rule(parameters.schedule).on_plateaus ? parameters.plateau_monitor : ""),
      plateau_factor_(parameters.plateau_factor),
      plateau_(larger_is_better(parameters.plateau_monitor), parameters.plateau_patience, parameters.plateau_min_delta,
               0) {}

TrainingRules::Decision TrainingRules::update(int64_t epoch, const pipeline::Value& row) {
  Decision decision;
  decision.best = best_.update(epoch, figure_of(monitor_, row), epoch == epochs_);
  const auto measured = [&](const std::string& monitor) {
    return !is_of_validation(monitor) || !row.at("validation").is_null();
  };
  decision.stop = measured(stop_monitor_) && stopping_.update(epoch, figure_of(stop_monitor_, row));
  if (!plateau_monitor_.empty() && measured(plateau_monitor_) &&
      plateau_.update(epoch, figure_of(plateau_monitor_, row))) {
    plateau_.wait_again();
    rate_factor_ *= plateau_factor_;
  }
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
