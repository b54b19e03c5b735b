#include "stages/packs/json_file.h"

#include <fmt/format.h>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/files.h"
#include "pipeline/json_depth.h"

namespace penstock::stages {

using pipeline::Value;

Value read_json(const std::filesystem::path& path) {
  const std::string text = pipeline::read_file(path);
  if (pipeline::is_json_too_deep(text)) {
    throw Error(ExitCode::data, fmt::format("{}: its lists and objects are nested more than {} deep", path.string(),
                                            pipeline::most_json_depth));
  }
  try {
    return Value::parse(text);
  } catch (const Value::parse_error& problem) {
    throw Error(ExitCode::data,
                fmt::format("{}: is not JSON: {}", path.string(), distributed::printable_name(problem.what())));
  }
}

void write_json(const std::filesystem::path& path, const Value& json) {
  pipeline::write_file(path, json.dump(1) + "\n");
}

}  // namespace penstock::stages
