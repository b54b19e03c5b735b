#include "stages/images/json_file.h"

#include <fmt/format.h>

#include "distributed/error.h"
#include "pipeline/files.h"

namespace penstock::stages {

using pipeline::Value;

Value read_json(const std::filesystem::path& path) {
  try {
    return Value::parse(pipeline::read_file(path));
  } catch (const Value::parse_error& problem) {
    throw Error(ExitCode::data, fmt::format("{}: is not JSON: {}", path.string(), problem.what()));
  }
}

void write_json(const std::filesystem::path& path, const Value& json) {
  pipeline::write_file(path, json.dump(1) + "\n");
}

}  // namespace penstock::stages
