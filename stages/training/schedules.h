// The choices of train.schedule: the learning rate over a training. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct ScheduleRule {
  std::string name, help;
  // Every step depends on where training ends, so a longer training cannot continue from a shorter one.
  bool depends_on_end = false;
  // Of a step; `done` is the share of the training that is over before it, 0 <= done < 1.
  double (*learning_rate)(double lr, double done) = nullptr;
  bool on_plateaus = false;  // times train.plateau.factor for each plateau (training_rules.h) so far
};

const std::vector<ScheduleRule>& schedule_rules();
void add_row(ScheduleRule rule);                           // of a user's own program: compute/extensions.h
const ScheduleRule& schedule_rule(std::string_view name);  // fails a check where there is none of that name

// What a step's rate is multiplied with while the training warms up, `warm_up` epochs long: it grows by the same amount
// at each step, to 1 at the last of them (Goyal et al. 2017, arXiv:1706.02677). `step`: finished before it. 0 epochs: 1
// throughout. It depends on no end, so the schedule alone says whether a longer training may continue a shorter one.
double warm_up_factor(double warm_up, int64_t step, int64_t steps_per_epoch);

}  // namespace penstock::stages
