// The choices of train.schedule: the learning rate over a training. Pure.
#pragma once

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
};

const std::vector<ScheduleRule>& schedule_rules();
const ScheduleRule& schedule_rule(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
