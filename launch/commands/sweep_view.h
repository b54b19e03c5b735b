// The runs of a configuration's matrix with their states and metrics from the store: for `runs`, `diff` and sweep.html.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "launch/job/options.h"
#include "pipeline/stage.h"
#include "stages/report/sweep_table.h"

namespace penstock::launch {

struct SweepView {
  std::string pipeline;
  std::string seed_axis;
  std::vector<stages::SweepRun> runs;                              // those that --select and --part leave
  std::vector<std::map<std::string, pipeline::Value>> parameters;  // "stage.param" -> value, as `runs`
};

SweepView view_sweep(const ConfigOptions& options, const pipeline::StageTable& kinds);

// Writes runs/<pipeline>/sweep.html in the working directory.
void write_sweep_page(const SweepView& view);

}  // namespace penstock::launch
