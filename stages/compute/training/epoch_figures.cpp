#include "stages/compute/training/epoch_figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 1; }

}  // namespace

EpochSums& EpochSums::operator+=(const Figures& step) {
  figures += step;
  ++steps;
  return *this;
}

Figures EpochSums::mean() const { return figures / std::max(1.0, steps); }

pipeline::Value to_json(const EpochSums& sums) {
  const Figures& f = sums.figures;
  return std::vector<double>{f.loss, f.tp, f.fp, f.fn, f.tn, sums.steps};
}

EpochSums epoch_sums_from_json(const pipeline::Value& json) {
  const auto values = json.get<std::vector<double>>();
  PENSTOCK_CHECK(values.size() == 6, "a checkpoint carries five sums of figures and their number");
  return {{values[0], values[1], values[2], values[3], values[4]}, values[5]};
}

pipeline::Value row_of(const EpochSums& sums) {
  pipeline::Value row = row_of(sums.mean());
  if (sums.steps == 0) {
    for (pipeline::Value& figure : row) figure = nullptr;
  }
  return row;
}

pipeline::Value row_of(const Figures& f) {
  return {{"loss", f.loss},
          {"accuracy", f.tp + f.tn},
          {"precision", ratio(f.tp, f.tp + f.fp)},
          {"recall", ratio(f.tp, f.tp + f.fn)},
          {"f1", ratio(2 * f.tp, 2 * f.tp + f.fp + f.fn)}};
}

std::string text_of_epoch(const pipeline::Value& row) {
  const auto shown = [](const pipeline::Value& part, const char* name) {
    const pipeline::Value& figure = part.at(name);
    return figure.is_number() ? fmt::format("{:.4f}", figure.get<double>()) : std::string("none");
  };
  const pipeline::Value &train = row.at("train"), &validation = row.at("validation");
  if (train.at("loss").is_null()) return "every step was left out";
  if (validation.is_null()) return fmt::format("loss {}, train F1 {}", shown(train, "loss"), shown(train, "f1"));
  return fmt::format("loss {}, validation loss {}, F1 {}", shown(train, "loss"), shown(validation, "loss"),
                     shown(validation, "f1"));
}

}  // namespace penstock::stages
