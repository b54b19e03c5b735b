// Whether the libraries that this one is linked with work on this machine (`penstock doctor`).
#pragma once

#include <filesystem>
#include <vector>

#include "stages/finding.h"

namespace penstock::stages {

// `folder` is where a test file may be written, and is removed again.
std::vector<Finding> check_libraries(const std::filesystem::path& folder);

}  // namespace penstock::stages
