#include "stages/training/schedules.h"

#include <cmath>
#include <numbers>

#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

double constant(double lr, double) { return lr; }

// Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts; by step, so that epochs have no edges.
double cosine(double lr, double done) { return lr * 0.5 * (1 + std::cos(std::numbers::pi * done)); }

}  // namespace

const std::vector<ScheduleRule>& schedule_rules() {
  static const std::vector<ScheduleRule> rules = {
      {"constant", "lr throughout", false, constant},
      {"cosine", "from lr down to 0 at the last step", true, cosine},
  };
  return rules;
}

const ScheduleRule& schedule_rule(std::string_view name) { return row_of(schedule_rules(), "schedule", name); }

}  // namespace penstock::stages
