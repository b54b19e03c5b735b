#include "stages/compute/model/predictor.h"

#include <ATen/Parallel.h>

#include "distributed/check.h"
#include "stages/compute/data/resize_image.h"

namespace penstock::stages {

Predictor::Predictor(const std::filesystem::path& model) : model_(read_model_description(model)) {
  network_ = make_network(model_.architecture);
  const FlatLayout layout = layout_of(*network_);
  weights_ = read_weights(model, layout);
  alias(*network_, layout, weights_.parameters.data(), weights_.statistics.data());
  for (torch::Tensor parameter : network_->parameters()) parameter.set_requires_grad(false);
  network_->eval();
}

std::vector<float> Predictor::on_grid(std::span<const uint8_t> image) const {
  const int64_t channels = model_.architecture.in_channels;
  PENSTOCK_CHECK(image.size() == static_cast<size_t>(channels * model_.width * model_.height),
                 "an image lies on the model's grid");
  at::set_num_threads(1);  // of this thread: the last bits of a result depend on it
  const torch::NoGradGuard no_gradients;
  const auto input = torch::empty({1, channels, model_.height, model_.width});
  model_.normaliser.apply(image, static_cast<int>(channels), input.data_ptr<float>());
  const auto probability = torch::sigmoid((*network_)(input)).contiguous();
  const float* values = probability.data_ptr<float>();
  return {values, values + probability.numel()};
}

std::vector<float> Predictor::at_size(const std::vector<float>& grid_probability, int width, int height) const {
  return resize_probability(grid_probability, model_.width, model_.height, width, height);
}

}  // namespace penstock::stages
