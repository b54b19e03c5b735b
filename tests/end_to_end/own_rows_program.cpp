// Penstock with one more network, loss, augmentation, target, decoder and schedule: a user's own program, as in
// CONTRIBUTING.md. Started by own_rows_test.cpp.
#include <torch/nn/modules/conv.h>
#include <cstdio>

#include "distributed/outcome.h"
#include "launch/command_line.h"
#include "stages/compute/extensions.h"
#include "stages/kinds.h"

namespace {

using namespace penstock;
using namespace penstock::stages;

// Three convolutions at full size.
class Flat final : public Network {
 public:
  explicit Flat(const Architecture& a) {
    first_ = register_module("down_conv", torch::nn::Conv2d(options(a.in_channels, a.base_channels)));
    second_ = register_module("up_conv", torch::nn::Conv2d(options(a.base_channels, a.base_channels)));
    output_ = register_module("output", torch::nn::Conv2d(options(a.base_channels, a.out_channels)));
  }
  void sum_over_ranks(const SumOverRanks&) override {}  // it has no norm

 protected:
  torch::Tensor forward(torch::Tensor x, std::optional<at::Generator>) override {
    return output_(torch::relu(second_(torch::relu(first_(x)))));
  }

 private:
  static torch::nn::Conv2dOptions options(int64_t in, int64_t out) {
    return torch::nn::Conv2dOptions(in, out, 3).padding(1);
  }
  torch::nn::Conv2d first_{nullptr}, second_{nullptr}, output_{nullptr};
};

std::shared_ptr<Network> make_flat(const Architecture& architecture) { return std::make_shared<Flat>(architecture); }

std::vector<Layer> flat_layers(const Architecture& a, int64_t height, int64_t width) {
  std::vector<Layer> layers;
  const auto add = [&](const char* name, const char* side, int64_t in, int64_t out) {
    layers.push_back({.name = name,
                      .kind = "3x3 convolution",
                      .side = side,
                      .channels = out,
                      .height = height,
                      .width = width,
                      .slots = {in * out * 9, out},
                      .flops = 2 * in * out * 9 * height * width});
  };
  add("down_conv", "encoder", a.in_channels, a.base_channels);
  add("up_conv", "decoder", a.base_channels, a.base_channels);
  add("output", "output", a.base_channels, a.out_channels);
  return layers;
}

torch::Tensor squared_error(const torch::Tensor& logits, const torch::Tensor& targets) {
  const auto difference = torch::sigmoid(logits) - targets;
  return (difference * difference).mean({1, 2, 3});
}

void dim(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
  change.values.gain *= 1 - draws.between(0, 0, strength);
}

// The outermost pixels of each object.
float is_edge(const ObjectMap& map, int y, int x) {
  const uint16_t object = map.at(y, x);
  if (object == 0) return 0;
  for (const auto& [dy, dx] : {std::pair(-1, 0), std::pair(1, 0), std::pair(0, -1), std::pair(0, 1)}) {
    const int i = y + dy, j = x + dx;
    if (i >= 0 && i < map.height && j >= 0 && j < map.width && map.at(i, j) != object) return 1;
  }
  return 0;
}

// All foreground of a piece is one object.
std::vector<int32_t> whole_pieces(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  InstanceRules components = rules;
  components.connectivity = 8;
  return decoders().front().function(maps, threshold, components);
}

double halved_once(double lr, double done) { return done < 0.5 ? lr : lr / 2; }

void add_rows() {
  add_network({"flat", "three convolutions at full size", flat_layers}, make_flat);
  add_loss({"squared", "squared error of the probability"}, squared_error);
  add_augmentation({.name = "dim", .help = "darker", .strength = "times 1 - U(0, s)", .usual = 0.3, .most = 1}, dim);
  add_target(
      {.name = "edge", .help = "whether a pixel is the outermost of its object", .output = "edge", .own = is_edge});
  add_decoder({.name = "pieces", .help = "foreground that meets at corners is one object"}, whole_pieces);
  add_schedule({"halved", "half of lr from the middle on", true, halved_once});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    add_rows();
    return launch::run_command_line(argc, argv, stage_table());
  } catch (...) {
    const auto failure = distributed::current_failure();
    std::fprintf(stderr, "%s\n", failure.message.c_str());
    return static_cast<int>(failure.code);
  }
}
