// From an image to probabilities and objects: the one path of eval and predict, so that both give the same numbers.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "stages/compute/model/model_folder.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {

// Any thread may call; each call runs one image with one intra-op thread, so that results depend on the image alone.
class Predictor {
 public:
  explicit Predictor(const std::filesystem::path& model);

  const ModelDescription& model() const { return model_; }
  // [H,W,C] uint8 on the model's grid -> foreground probability [H,W].
  std::vector<float> on_grid(std::span<const uint8_t> image) const;
  // The same at another size: the probability is upsampled, never the mask.
  std::vector<float> at_size(const std::vector<float>& grid_probability, int width, int height) const;

 private:
  ModelDescription model_;
  Weights weights_;
  std::shared_ptr<Network> network_;
};

}  // namespace penstock::stages
