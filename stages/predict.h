// The parameters of `penstock predict`, from launch to its body in stages/compute.
#pragma once

#include <filesystem>
#include <vector>

namespace penstock::stages {

struct PredictRequest {
  std::filesystem::path model;                // a model folder, or a runs/ folder with one inside
  std::vector<std::filesystem::path> inputs;  // images, folders, archives
  std::filesystem::path output;  // created; a folder that exists and is not empty is refused (exit code 73)
};

}  // namespace penstock::stages
