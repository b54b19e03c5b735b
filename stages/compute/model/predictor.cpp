#include "stages/compute/model/predictor.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <array>

#include "distributed/check.h"
#include "stages/arithmetic/device_sampling.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/model/tiles.h"
#include "stages/training/name_table.h"
#include "stages/training/targets.h"
#include "stages/training/turns.h"

namespace penstock::stages {
namespace {

// One way in which a tile is shown to the network: turned as a whole, and its answer turned back.
struct Turn {
  bool flip_x = false, flip_y = false, transpose = false;

  torch::Tensor there(torch::Tensor x) const {
    if (transpose) x = x.transpose(2, 3);
    return flipped(x);
  }
  // What the network says of each target, turned back. A direction turns with the picture: `horizontal` and `vertical`
  // are their channels, or -1.
  torch::Tensor back(torch::Tensor x, int horizontal, int vertical) const {
    x = flipped(x);
    if (horizontal >= 0) {
      if (flip_x) mirror(x, horizontal);
      if (flip_y) mirror(x, vertical);
    }
    if (!transpose) return x;
    x = x.transpose(2, 3);
    if (horizontal < 0) return x;
    auto planes = x.unbind(1);
    std::swap(planes[static_cast<size_t>(horizontal)], planes[static_cast<size_t>(vertical)]);
    return torch::stack(planes, 1);
  }

 private:
  static void mirror(torch::Tensor& x, int channel) {
    auto plane = x.select(1, channel);
    plane.neg_().add_(1);
  }
  torch::Tensor flipped(torch::Tensor x) const {
    if (flip_x) x = x.flip(3);
    if (flip_y) x = x.flip(2);
    return x.contiguous();
  }
};

std::vector<Turn> turns_of(const std::string& name) {
  const TurnRule& rule = row_of(turn_rules(), "turns", name);
  std::vector<Turn> turns;
  for (int i = 0; i < rule.count; ++i) turns.push_back({(i & 1) != 0, (i & 2) != 0, (i & 4) != 0});
  return turns;
}

// Of planes [planes, height, width].
void each_row(std::span<const float> planes, int width, int height, const Predictor::RowSink& row) {
  const size_t pixels = static_cast<size_t>(width) * static_cast<size_t>(height), count = planes.size() / pixels;
  std::vector<float> values(count * static_cast<size_t>(width));
  for (int y = 0; y < height; ++y) {
    for (size_t p = 0; p < count; ++p)
      std::copy_n(&planes[p * pixels + static_cast<size_t>(y) * width], width, &values[p * width]);
    row(y, values);
  }
}

}  // namespace

Predictor::Predictor(const std::filesystem::path& model) : model_(read_model_description(model)) {
  require_weights(model, model_);
  for (const std::string& member : model_.members) {
    networks_.push_back(make_network(model_.architecture));
    Network& network = *networks_.back();
    const FlatLayout layout = layout_of(network);
    weights_.push_back(read_weights(model, layout, member));
    alias(network, layout, weights_.back().parameters.data(), weights_.back().statistics.data());
    for (torch::Tensor parameter : network.parameters()) parameter.set_requires_grad(false);
    network.eval();
  }
}

// What one tile of a sample needs: the values that each byte of a channel becomes, by the limits of the whole sample.
class Predictor::Tile {
 public:
  // `tile`: its size.
  Tile(const Predictor& predictor, const SampleSize& tile, const PixelValues& image, int width, int height)
      : predictor_(predictor),
        tile_(tile),
        image_(image),
        width_(width),
        height_(height),
        channels_(static_cast<int>(predictor.model_.architecture.in_channels)),
        stored_(static_cast<int>(image.size() / (static_cast<size_t>(width) * static_cast<size_t>(height)))) {
    PENSTOCK_CHECK(image.size() == static_cast<size_t>(stored_) * static_cast<size_t>(width) * height &&
                       (stored_ == channels_ || stored_ == 1),
                   "a sample has a value for each pixel and channel of the model, or for each pixel");
    const Normaliser& normaliser = predictor.model_.normaliser;
    const auto range = normaliser.range_of(image, static_cast<size_t>(channels_ / stored_));
    for (int c = 0; c < channels_; ++c) tables_.push_back(normaliser.table(range, c));
  }

  // Probabilities of the tile whose upper left pixel is (left, top) of the sample, mirrored beyond its edges:
  // [targets, height and width of the tile].
  std::vector<float> probabilities(int left, int top) const {
    const torch::NoGradGuard no_gradients;
    const auto input = piece(left, top);
    const auto turns = turns_of(predictor_.model_.turns);
    const std::vector<std::string>& targets = predictor_.model_.targets;
    const int horizontal = channel_of(targets, TargetKind::horizontal),
              vertical = channel_of(targets, TargetKind::vertical);
    torch::Tensor sum;
    for (const auto& network : predictor_.networks_) {
      for (const Turn& turn : turns) {
        const auto said = turn.back(torch::sigmoid((*network)(turn.there(input))), horizontal, vertical);
        sum = sum.defined() ? sum + said : said;
      }
    }
    const size_t views = turns.size() * predictor_.networks_.size();
    const auto output = (views == 1 ? sum : sum / static_cast<double>(views)).contiguous();
    const float* values = output.data_ptr<float>();
    return {values, values + output.numel()};
  }

 private:
  torch::Tensor piece(int left, int top) const {
    const int64_t tile_height = tile_.height, tile_width = tile_.width;
    const auto input = torch::empty({1, channels_, tile_height, tile_width});
    float* to = input.data_ptr<float>();
    image_.with([&](const auto* image) {
      for (int64_t y = 0; y < tile_height; ++y) {
        const size_t row = static_cast<size_t>(mirrored(top + static_cast<int>(y), height_)) * width_;
        for (int64_t x = 0; x < tile_width; ++x) {
          const auto* pixel = image + (row + mirrored(left + static_cast<int>(x), width_)) * stored_;
          for (int c = 0; c < channels_; ++c)
            to[(c * tile_height + y) * tile_width + x] = shown_value(tables_[c].data(), pixel[stored_ == 1 ? 0 : c]);
        }
      }
    });
    return input;
  }

  const Predictor& predictor_;
  const SampleSize tile_;
  const PixelValues image_;
  const int width_, height_, channels_, stored_;
  std::vector<std::array<float, 256>> tables_;
};

SampleSize Predictor::sample_size_of(const Image& picture, const std::string& what) const {
  PENSTOCK_CHECK(picture.channels == model_.architecture.in_channels || picture.channels == 1,
                 "a picture has the channels of the model, or one");
  return sample_size(model_.rule, picture.width, picture.height, picture.channels, what);
}

Image Predictor::sample_of(const Image& picture, const std::string& what) const {
  const auto [width, height] = sample_size_of(picture, what);
  return to_grid(picture, width, height);
}

SampleSize Predictor::tile_of(int width, int height) const {
  if (model_.tile == 0 || !model_.rule.own_size()) return {model_.width, model_.height};
  const auto most = static_cast<int>(model_.tile), unit = 1 << model_.architecture.depth;
  return {fitted_tile(width, most, unit, model_.overlap), fitted_tile(height, most, unit, model_.overlap)};
}

void Predictor::blended(const PixelValues& image, int width, int height, const RowSink& row) const {
  PENSTOCK_CHECK(width > 0 && height > 0, "a sample has a size");
  at::set_num_threads(1);  // of this thread: the last bits of a result depend on it
  const SampleSize side = tile_of(width, height);
  const Tile tile(*this, side, image, width, height);
  if (width == side.width && height == side.height) {  // not blended with itself
    each_row(tile.probabilities(0, 0), width, height, row);
    return;
  }
  blend_tiles(
      {width, height, side.width, side.height, model_.overlap, static_cast<int>(model_.targets.size())},
      [&](int left, int top) { return tile.probabilities(left, top); }, row);
}

PixelMaps Predictor::on_sample(const PixelValues& image, int width, int height) const {
  PixelMaps maps{width, height, model_.targets, {}};
  maps.values.resize(maps.targets.size() * maps.pixels());
  on_rows(image, {width, height}, {width, height}, [&](int y, std::span<const float> row) {
    for (size_t p = 0; p < maps.targets.size(); ++p)
      std::copy_n(&row[p * width], width, &maps.values[p * maps.pixels() + static_cast<size_t>(y) * width]);
  });
  return maps;
}

void Predictor::on_rows(const PixelValues& image, const SampleSize& size, const SampleSize& to,
                        const RowSink& row) const {
  if (size.width == to.width && size.height == to.height) return blended(image, size.width, size.height, row);
  const PixelMaps maps = at_size(on_sample(image, size.width, size.height), to.width, to.height);
  each_row(maps.values, to.width, to.height, row);
}

PixelMaps Predictor::at_size(const PixelMaps& maps, int width, int height) {
  if (maps.width == width && maps.height == height) return maps;
  PixelMaps scaled{width, height, maps.targets, {}};
  for (size_t p = 0; p < maps.targets.size(); ++p) {
    const auto plane = maps.plane(p);
    const auto values = resize_probability({plane.begin(), plane.end()}, maps.width, maps.height, width, height);
    scaled.values.insert(scaled.values.end(), values.begin(), values.end());
  }
  return scaled;
}

}  // namespace penstock::stages
