#include <spdlog/spdlog.h>

#include "pipeline/counted.h"
#include "stages/compute/bodies.h"
#include "stages/compute/model/model_folder.h"

namespace penstock::stages {

std::unique_ptr<pipeline::StageBody> ensemble_body() {
  return pipeline::body_of([](pipeline::StageContext& context) {
    std::vector<std::filesystem::path> models;
    for (const pipeline::InputSource& source : context.inputs.at("models")) models.push_back(source.path);
    write_ensemble(models, context.output("model"));
    const size_t members = read_model_description(context.output("model")).members.size();
    spdlog::info("{}: {}", context.stage, pipeline::counted(static_cast<int64_t>(members), "member"));
  });
}

}  // namespace penstock::stages
