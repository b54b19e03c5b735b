// predict: segments images with a trained model.
#include <CLI/CLI.hpp>
#include <memory>

#include "launch/commands/commands.h"
#include "launch/job/job.h"
#include "stages/compute_library.h"
#include "stages/predict.h"

namespace penstock::launch {
namespace {

int predict_command(const stages::PredictRequest& request, const OutputFlags& output) {
  Job job = join(output, nullptr);
  return speaking_on_rank0(job, [&] {
    const auto doing = job.watch->stage("predict");
    stages::compute_library().predict(request, *job.ranks, job.threads);
    return 0;
  });
}

}  // namespace

void add_predict(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("predict", "segment images with a trained model");
  const auto request = std::make_shared<stages::PredictRequest>();
  command->add_option("MODEL", request->model, "a model folder, or a run's folder")->required();
  command->add_option("INPUT", request->inputs, "images, folders or archives")->required();
  command
      ->add_option("--output", request->output,
                   "folder for the results; created, or continued where it holds some of this model")
      ->required()
      ->type_name("DIR");
  command->add_flag("-k,--keep-going", request->keep_going,
                    "list images that cannot be read in failed.csv, and predict the others (exit code 65)");
  command->callback([request, &context] { context.code = predict_command(*request, context.output); });
}

}  // namespace penstock::launch
