#include "stages/compute/model/predictor.h"

#include <ATen/Parallel.h>

#include <array>

#include "distributed/check.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/sample_size.h"
#include "stages/compute/model/tiles.h"
#include "stages/resize_modes.h"
#include "stages/training/device_arithmetic.h"

namespace penstock::stages {

Predictor::Predictor(const std::filesystem::path& model) : model_(read_model_description(model)) {
  network_ = make_network(model_.architecture);
  const FlatLayout layout = layout_of(*network_);
  weights_ = read_weights(model, layout);
  alias(*network_, layout, weights_.parameters.data(), weights_.statistics.data());
  for (torch::Tensor parameter : network_->parameters()) parameter.set_requires_grad(false);
  network_->eval();
}

// What one tile of a sample needs: the values that each byte of a channel becomes, by the limits of the whole sample.
class Predictor::Tile {
 public:
  Tile(const Predictor& predictor, std::span<const uint8_t> image, int width, int height)
      : predictor_(predictor),
        image_(image),
        width_(width),
        height_(height),
        channels_(static_cast<int>(predictor.model_.architecture.in_channels)) {
    const Normaliser& normaliser = predictor.model_.normaliser;
    const auto range = normaliser.range_of(image);
    for (int c = 0; c < channels_; ++c) tables_.push_back(normaliser.table(range, c));
  }

  // Foreground probability of the tile whose upper left pixel is (left, top) of the sample, mirrored beyond its edges.
  std::vector<float> probability(int left, int top) const {
    const int64_t tile_height = predictor_.model_.height, tile_width = predictor_.model_.width;
    const torch::NoGradGuard no_gradients;
    const auto input = torch::empty({1, channels_, tile_height, tile_width});
    float* to = input.data_ptr<float>();
    for (int64_t y = 0; y < tile_height; ++y) {
      const size_t row = static_cast<size_t>(mirrored(top + static_cast<int>(y), height_)) * width_;
      for (int64_t x = 0; x < tile_width; ++x) {
        const uint8_t* pixel = &image_[(row + mirrored(left + static_cast<int>(x), width_)) * channels_];
        for (int c = 0; c < channels_; ++c) to[(c * tile_height + y) * tile_width + x] = tables_[c][pixel[c]];
      }
    }
    const auto output = torch::sigmoid((*predictor_.network_)(input)).contiguous();
    const float* values = output.data_ptr<float>();
    return {values, values + output.numel()};
  }

 private:
  const Predictor& predictor_;
  const std::span<const uint8_t> image_;
  const int width_, height_, channels_;
  std::vector<std::array<float, 256>> tables_;
};

Image Predictor::sample_of(const Image& picture, const std::string& what) const {
  PENSTOCK_CHECK(picture.channels == model_.architecture.in_channels, "a picture has the channels of the model");
  if (!resize_mode(model_.mode).own_size) return to_grid(picture, model_.width, model_.height);
  const auto [width, height] = scaled_size(picture.width, picture.height, model_.scale, picture.channels, what);
  return to_grid(picture, width, height);
}

std::vector<float> Predictor::on_sample(std::span<const uint8_t> image, int width, int height) const {
  PENSTOCK_CHECK(
      width > 0 && height > 0 &&
          image.size() == static_cast<size_t>(model_.architecture.in_channels) * static_cast<size_t>(width) * height,
      "a sample has a byte for each pixel and channel of the model");
  at::set_num_threads(1);  // of this thread: the last bits of a result depend on it
  const Tile tile(*this, image, width, height);
  if (width == model_.width && height == model_.height) return tile.probability(0, 0);  // not blended with itself
  std::vector<float> all;
  all.reserve(static_cast<size_t>(width) * height);
  blend_tiles(
      {width, height, model_.width, model_.height, model_.overlap},
      [&](int left, int top) { return tile.probability(left, top); },
      [&](int, std::span<const float> row) { all.insert(all.end(), row.begin(), row.end()); });
  return all;
}

std::vector<float> Predictor::at_size(const std::vector<float>& probability, int from_width, int from_height, int width,
                                      int height) {
  if (from_width == width && from_height == height) return probability;
  return resize_probability(probability, from_width, from_height, width, height);
}

}  // namespace penstock::stages
