// The parameters of `penstock predict`, from launch to its body in stages/compute.
#pragma once

#include <filesystem>
#include <vector>

namespace penstock::stages {

struct PredictRequest {
  std::filesystem::path model;                // a model folder, or a runs/ folder with one inside
  std::vector<std::filesystem::path> inputs;  // images, folders, archives
  // Created. Results of the same model that are there stay, and what is done is not done again; a folder that holds
  // anything else is refused (exit code 73).
  std::filesystem::path output;
  bool keep_going = false;  // an image that cannot be read is listed, and the others are predicted (exit code 65)
};

}  // namespace penstock::stages
