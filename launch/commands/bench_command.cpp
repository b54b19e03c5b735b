// bench: throughput of training and of sums over the ranks, on this machine.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "distributed/check.h"
#include "launch/commands/commands.h"
#include "launch/job/job.h"
#include "launch/world/measurements.h"
#include "pipeline/counted.h"
#include "stages/bench.h"
#include "stages/compute_library.h"
#include "stages/kinds.h"

namespace penstock::launch {
namespace {

using pipeline::Value;

std::string milliseconds(const Value& median) {
  return fmt::format("{:.1f} ms ({:.1f} to {:.1f}, n = {})", 1e3 * median.at("median").get<double>(),
                     1e3 * median.at("low").get<double>(), 1e3 * median.at("high").get<double>(),
                     median.at("n").get<int>());
}

std::string bench_text(const Value& result) {
  std::string text =
      pipeline::counted(result.at("ranks"), "rank") + " x " + pipeline::counted(result.at("threads"), "thread");
  const auto steps = [](const Value& one) {
    return fmt::format("{:.2f} images/s, a step {}", one.at("images_per_second").get<double>(),
                       milliseconds(one.at("step_seconds")));
  };
  if (result.contains("ratio")) {
    const std::string a = result.at("a"), b = result.at("b");
    const Value& ratio = result.at("ratio");
    text += fmt::format("\n{}: {}\n{}: {}\ntime of {} over {}: {:.4f} ({:.4f} to {:.4f})", a, steps(result.at(a)), b,
                        steps(result.at(b)), a, b, ratio.at("median").get<double>(), ratio.at("low").get<double>(),
                        ratio.at("high").get<double>());
  } else if (result.contains("rows")) {
    text += fmt::format("\n{:>12} {:>12} {:>12} {:>12} {:>12}  (ms)", "bytes", "all-reduce", "run", "world", "model");
    for (const Value& row : result.at("rows")) {
      text += fmt::format("\n{:12} {:12.3f} {:12.3f} {:12.3f} {:12.3f}", row.at("bytes").get<int64_t>(),
                          1e3 * row.at("all_reduce_seconds").get<double>(), 1e3 * row.at("run_seconds").get<double>(),
                          1e3 * row.at("world_seconds").get<double>(), 1e3 * row.value("model_seconds", 0.0));
    }
  } else {
    text += "\n" + steps(result);
  }
  return text;
}

int bench_command(const stages::BenchRequest& request, const OutputFlags& output) {
  Job job = join(output, nullptr);
  return speaking_on_rank0(job, [&] {
    const auto doing = job.watch->stage("bench " + request.what);
    const Value result = stages::compute_library().bench(request, *job.ranks, job.threads);
    if (job.world.rank == 0) {
      keep_measurement(request, result);
      std::cout << (output.json ? result.dump() : bench_text(result)) << '\n';
    }
    return 0;
  });
}

// Flags that are parameters of train, with train's ranges and choices.
class TrainFlags {
 public:
  explicit TrainFlags(CLI::App& command) : command_(command) {}

  void add(const char* flag, int64_t& value, const char* parameter, const char* help) {
    const pipeline::About& about = about_of(parameter);
    PENSTOCK_CHECK(about.minimum && about.maximum, "a flag of bench is a parameter of train that has a range");
    command_.add_option(flag, value, help)
        ->check(CLI::Range(static_cast<int64_t>(*about.minimum), static_cast<int64_t>(*about.maximum)));
  }
  void add(const char* flag, std::string& value, const char* parameter, const char* help) {
    const std::vector<std::string>& choices = about_of(parameter).choices;
    command_.add_option(flag, value, help)
        ->check(CLI::IsMember(choices).description(""))
        ->type_name(fmt::format("{}", fmt::join(choices, "|")));
  }

 private:
  const pipeline::About& about_of(const std::string& parameter) const {
    for (const pipeline::Specification& one : parameters_) {
      if (one.name == parameter) return one.about;
    }
    PENSTOCK_CHECK(false, fmt::format("train has a parameter '{}'", parameter));
  }

  CLI::App& command_;
  const std::vector<pipeline::Specification> parameters_ = stages::train_kind().parameters;
};

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("bench", "throughput on this machine, with random data");
  const auto request = std::make_shared<stages::BenchRequest>();
  command->add_option("WHAT", request->what, "train: steps of training; reduce: sums over the ranks")
      ->required()
      ->check(CLI::IsMember({"train", "reduce"}))
      ->type_name("");
  TrainFlags train(*command);
  train.add("--base-channels", request->base_channels, "base_channels", "of the U-Net");
  train.add("--depth", request->depth, "depth", "of the U-Net");
  command->add_option("--channels", request->channels, "of an image")->check(CLI::Range(1, 3));
  train.add("--norm", request->norm, "norm", "of the U-Net");
  command->add_option("--size", request->size, "pixels, width and height")->check(CLI::Range(16, 4096));
  train.add("--batch", request->global_batch, "global_batch", "samples a step, of all ranks");
  train.add("--micro-batch", request->micro_batch, "micro_batch", "samples that one worker processes at once");
  command->add_option("--steps", request->steps, "steps that are measured")->check(CLI::Range(1, 100000));
  command
      ->add_option("--compare", request->compare,
                   "train: with and without the reducer, world or run, overlap or not, graph or eager, interleaved")
      ->check(CLI::IsMember({"reducer", "world", "overlap", "graph"}))
      ->type_name("");
  train.add("--device", request->device, "device", "train: auto, cpu or cuda");
  train.add("--precision", request->precision, "precision", "train: fp32, bf16 or auto");
  command->callback([request, &context] { context.code = bench_command(*request, context.output); });
}

}  // namespace penstock::launch
