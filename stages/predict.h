// What `penstock predict` asks for.
#pragma once

#include <filesystem>
#include <vector>

namespace penstock::stages {

struct PredictRequest {
  std::filesystem::path model;                // a model folder, or a runs/ folder with one inside
  std::vector<std::filesystem::path> inputs;  // images, folders, archives
  std::filesystem::path output;               // made; an existing non-empty one is refused (73)
};

}  // namespace penstock::stages
