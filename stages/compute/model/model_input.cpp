#include "stages/compute/model/model_input.h"

#include "distributed/error.h"
#include "stages/packs/json_file.h"

namespace penstock::stages {

namespace fs = std::filesystem;
using pipeline::Value;

void write_model_input(const fs::path& folder, const PictureRule& input) {
  if (input == PictureRule{}) return;
  Value model = read_json(folder / "model.json");
  put_input(model.at("preprocessing"), input);
  write_json(folder / "model.json", model);
}

PictureRule read_model_input(const fs::path& folder) {
  const fs::path file = folder / "model.json";
  try {
    return input_of(read_json(file).at("preprocessing"));
  } catch (const Value::exception& problem) {
    throw Error(ExitCode::data, file.string() + ": is not a model's description (" + problem.what() + ")");
  } catch (const Error& problem) {
    throw Error(problem.code(), file.string() + ": " + problem.what());
  }
}

}  // namespace penstock::stages
