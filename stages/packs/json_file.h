// JSON files of ports, as stages read and write them.
#pragma once

#include <filesystem>

#include "pipeline/value.h"

namespace penstock::stages {

// Throws Error(data) naming the file when it is missing or is not JSON.
pipeline::Value read_json(const std::filesystem::path& path);

// Indented by one, with a newline at the end; atomic, as pipeline::write_file.
void write_json(const std::filesystem::path& path, const pipeline::Value& json);

}  // namespace penstock::stages
