#include "stages/training/schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

double constant(double lr, double) { return lr; }

// Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts; by step, so that epochs have no edges.
double cosine(double lr, double done) { return lr * 0.5 * (1 + std::cos(std::numbers::pi * done)); }

// As DeepLab (Chen et al. 2017, arXiv:1606.00915) and nnU-Net (Isensee et al. 2021) have it; by step.
double poly(double lr, double done) { return lr * std::pow(1 - done, 0.9); }

OpenTable<ScheduleRule>& table() {
  static OpenTable<ScheduleRule> rules(
      "schedule",
      {
          {"constant", "lr throughout", false, constant},
          {"cosine", "from lr down to 0 at the last step", true, cosine},
          {"poly", "lr times (1 - t)^0.9, t the share of the training that is over", true, poly},
          {"plateau",
           "lr, times plateau.factor each time that plateau.monitor has not improved for plateau.patience epochs",
           false, constant, true},
      });
  return rules;
}

}  // namespace

const std::vector<ScheduleRule>& schedule_rules() { return table().rows(); }

void add_row(ScheduleRule rule) { table().add(std::move(rule)); }

double warm_up_factor(double warm_up, int64_t step, int64_t steps_per_epoch) {
  const double steps = warm_up * static_cast<double>(steps_per_epoch);
  return steps > 0 ? std::min(1.0, static_cast<double>(step + 1) / steps) : 1;
}

const ScheduleRule& schedule_rule(std::string_view name) { return row_of(schedule_rules(), "schedule", name); }

}  // namespace penstock::stages
