// The commands of the program. Each file of this room registers its own: name, help, flags and what it does. Called by
// run_command_line only. Results go to stdout, all else to stderr; what a user should read is thrown as Error.
#pragma once

#include "launch/job/options.h"
#include "pipeline/stage.h"

namespace CLI {
class App;
}

namespace penstock::launch {

// What all commands share. Lives until the command line has been parsed, which also runs the command.
struct Context {
  const pipeline::StageTable& kinds;
  OutputFlags output = {};  // set by parsing
  int code = 0;             // the exit code of the command that ran
};

// Each adds one command to `app`; its callback runs it and sets `context.code`.

// These work on all ranks of the job.
void add_run(CLI::App& app, Context& context);
void add_predict(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);

// These run no stage, and need neither mpirun nor LibTorch.
void add_plan(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_graph(CLI::App& app, Context& context);
void add_runs(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_stages(CLI::App& app, Context& context);
void add_init(CLI::App& app, Context& context);  // opens LibTorch's library: it decodes
void add_schema(CLI::App& app, Context& context);
void add_cache(CLI::App& app, Context& context);  // with commands of its own: cache ls, cache gc, ...

}  // namespace penstock::launch
