// One function per command. Each returns the exit code and throws Error for what a user should read.
// Results go to stdout, all else to stderr.
#pragma once

#include <string>

#include "launch/job/options.h"
#include "launch/world/world_inputs.h"
#include "pipeline/stage.h"
#include "stages/bench.h"
#include "stages/predict.h"

namespace penstock::launch {

int run_command(const ConfigOptions& options, const RunFlags& flags, const Voice& voice,
                const pipeline::StageTable& kinds);
int predict_command(const stages::PredictRequest& request, const Voice& voice);
int replay_command(const ConfigOptions& options, const std::string& stage, int64_t steps, const Voice& voice,
                   const pipeline::StageTable& kinds);
int bench_command(const stages::BenchRequest& request, const Voice& voice);
int doctor_command(bool gpu, const Voice& voice);

// These run nothing, and need neither mpirun nor LibTorch.
struct PlanFlags {
  bool count = false;  // only how many
  WorldFlags world;    // a job to imagine
};
int plan_command(const ConfigOptions& options, const PlanFlags& flags, const Voice& voice,
                 const pipeline::StageTable& kinds);
int validate_command(const ConfigOptions& options, const Voice& voice, const pipeline::StageTable& kinds);
int explain_command(const ConfigOptions& options, const std::string& stage, const Voice& voice,
                    const pipeline::StageTable& kinds);
int status_command(const ConfigOptions& options, bool watch, const Voice& voice, const pipeline::StageTable& kinds);
int logs_command(const ConfigOptions& options, const std::string& stage, const Voice& voice,
                 const pipeline::StageTable& kinds);
int runs_command(const ConfigOptions& options, const std::string& sort, bool each, const Voice& voice,
                 const pipeline::StageTable& kinds);
int diff_command(const ConfigOptions& options, const std::string& a, const std::string& b, const Voice& voice,
                 const pipeline::StageTable& kinds);
int graph_command(const ConfigOptions& options, const std::string& format, bool expand,
                  const pipeline::StageTable& kinds);
int explain_error_command(const std::string& code);
int config_command(const ConfigOptions& options, bool origin, const Voice& voice, const pipeline::StageTable& kinds);
int stages_command(const std::string& kind, const Voice& voice, const pipeline::StageTable& kinds);
int markdown_command(const std::string& kind, const pipeline::StageTable& kinds);  // stages --markdown
int schema_command(const pipeline::StageTable& kinds);

// Refuses a name that is no kind, with the nearest one: Error(usage).
const pipeline::StageKind& known_kind(const std::string& name, const pipeline::StageTable& kinds);

}  // namespace penstock::launch
