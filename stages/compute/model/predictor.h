// From an image to probabilities and objects: the one path of eval and predict, so that both give the same numbers.
// What the members of an ensemble say is averaged.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stages/compute/model/model_folder.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {

// Any thread may call; each call runs one image with one intra-op thread, so that results depend on the image alone.
class Predictor {
 public:
  explicit Predictor(const std::filesystem::path& model);

  const ModelDescription& model() const { return model_; }
  // Other ways to look at a sample than the model's own, before the first prediction: `turns` (training/turns.h), and
  // the sides of a tile at most (0: as large as the network's input in training).
  void set_views(const std::string& turns, int64_t tile) { model_.turns = turns, model_.tile = tile; }
  // The sample that a picture (images/picture.h) is to this model: on its grid, or of its own size times the model's
  // scale. Throws Error(data) naming `what` where that would be too large.
  Image sample_of(const Image& picture, const std::string& what) const;
  // The size of that sample. Throws as sample_of does.
  SampleSize sample_size_of(const Image& picture, const std::string& what) const;
  // A sample [height, width, channels] -> probabilities at its size, a plane a target. One of another size than
  // a tile goes through it in tiles that overlap (tiles.h). Of one channel where the model has three: each
  // value stands for three equal ones.
  PixelMaps on_sample(const PixelValues& image, int width, int height) const;
  // The same row by row, from the top, at the size `to`: row(y, values [targets, to.width]). Memory: where `to` is the
  // sample's own size, that of a band of tiles; else that of on_sample and at_size.
  using RowSink = std::function<void(int y, std::span<const float> values)>;
  void on_rows(const PixelValues& image, const SampleSize& size, const SampleSize& to, const RowSink& row) const;
  // The same at another size: probabilities are scaled, never masks.
  static PixelMaps at_size(const PixelMaps& maps, int width, int height);

 private:
  class Tile;

  SampleSize tile_of(int width, int height) const;
  void blended(const PixelValues& image, int width, int height, const RowSink& row) const;

  ModelDescription model_;
  std::vector<Weights> weights_;  // of each member
  std::vector<std::shared_ptr<Network>> networks_;
};

}  // namespace penstock::stages
