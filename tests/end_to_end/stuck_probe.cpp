// Penstock with one more stage kind, whose second rank does in step 20 what no rank should: a user's own program, as in
// tests/launch/own_stage_test.cpp. Started by stuck_test.cpp and tests/benchmarks/failures.
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>

#include "launch/command_line.h"
#include "pipeline/files.h"
#include "stages/kinds.h"

namespace {

using namespace penstock;

struct MisbehaveParameters {
  std::string how = "well";
  int64_t step_milliseconds = 5;
  void describe(pipeline::ParameterVisitor& visit) {
    visit("how", how,
          {.help = "what rank 1 does in step 20", .choices = {"well", "throw", "extra", "compute", "leave"}});
    visit("step_milliseconds", step_milliseconds, {.help = "a step takes this long", .minimum = 1});
  }
};

void misbehave(pipeline::StageContext& context) {
  const auto parameters = pipeline::read_parameters<MisbehaveParameters>(context.values);
  for (int step = 1;; ++step) {
    const auto doing = context.watch.step(step);
    std::this_thread::sleep_for(std::chrono::milliseconds(parameters.step_milliseconds));
    if (context.ranks.rank() == 1 && step == 20) {
      pipeline::write_file("fault", "");
      if (parameters.how == "throw") throw Error(ExitCode::data, "the sample 'b17' has no pixels");
      if (parameters.how == "extra") context.ranks.barrier("one too many");
      if (parameters.how == "leave") return;
      if (parameters.how == "compute") std::this_thread::sleep_for(std::chrono::hours(1));
    }
    int32_t stops = context.interrupted.load();
    context.ranks.all_reduce(distributed::buffer_of(&stops, 1), "the gradients of step " + std::to_string(step));
    if (stops > 0) throw Error(ExitCode::interrupted, "interrupted at step " + std::to_string(step));
    if (step == 20 && context.ranks.rank() == 0) pipeline::write_file("ready", "");
  }
}

pipeline::StageKind misbehave_kind() {
  pipeline::StageKind kind;
  kind.name = "misbehave";
  kind.summary = "trains nothing, for ever";
  kind.scope = pipeline::Scope::all_ranks;
  kind.outputs = {{.name = "nothing", .help = "nothing"}};
  kind.parameters = pipeline::specifications_of<MisbehaveParameters>();
  kind.body = [] { return pipeline::body_of(misbehave); };
  return kind;
}

}  // namespace

int main(int argc, char** argv) {
  auto table = stages::stage_table();
  table.push_back(misbehave_kind());
  try {
    return launch::run_command_line(argc, argv, table);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code());
  }
}
