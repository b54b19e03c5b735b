#include "stages/compute/model/tiles.h"

#include <algorithm>
#include <cmath>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

// The sums of one row of the picture that later tiles may still add to.
struct OpenRow {
  std::vector<float> values, weights;
};

}  // namespace

std::vector<int> tile_origins(int size, int tile, double overlap) {
  PENSTOCK_CHECK(size > 0 && tile > 0 && overlap >= 0 && overlap < 1, "tiles of a size overlap by a share below 1");
  if (size <= tile) return {-(tile - size) / 2};
  const double stride = std::max(1.0, std::floor(tile * (1 - overlap)));
  const int count = 1 + static_cast<int>(std::ceil((size - tile) / stride));
  std::vector<int> origins;
  for (int i = 0; i < count; ++i) origins.push_back(static_cast<int>(int64_t{size - tile} * i / (count - 1)));
  return origins;
}

int fitted_tile(int size, int most, int unit, double overlap) {
  PENSTOCK_CHECK(unit > 0, "a tile is a multiple of some pixels");
  const int largest = std::max(most / unit, 1) * unit;
  const size_t count = tile_origins(size, largest, overlap).size();
  int tile = unit;
  while (tile < largest && tile_origins(size, tile, overlap).size() > count) tile += unit;
  return tile;
}

std::vector<float> tile_weights(int tile) {
  std::vector<float> weights;
  for (int i = 0; i < tile; ++i)
    weights.push_back((static_cast<float>(std::min(i, tile - 1 - i)) + 0.5f) / (static_cast<float>(tile) / 2));
  return weights;
}

void blend_tiles(const TiledPicture& picture, const std::function<std::vector<float>(int x, int y)>& evaluate,
                 const std::function<void(int y, std::span<const float> values)>& row) {
  const int width = picture.width, tile_width = picture.tile_width, tile_height = picture.tile_height;
  const std::vector<int> columns = tile_origins(width, tile_width, picture.overlap),
                         rows = tile_origins(picture.height, tile_height, picture.overlap);
  const std::vector<float> across = tile_weights(tile_width), down = tile_weights(tile_height);
  std::vector<OpenRow> open(static_cast<size_t>(std::min(tile_height, picture.height)));
  const auto planes = static_cast<size_t>(picture.planes);
  const size_t tile_pixels = static_cast<size_t>(tile_width) * static_cast<size_t>(tile_height);
  for (OpenRow& one : open) one = {std::vector<float>(planes * width), std::vector<float>(width)};
  const auto open_row = [&](int y) -> OpenRow& { return open[static_cast<size_t>(y) % open.size()]; };

  for (size_t band = 0; band < rows.size(); ++band) {
    const int top = rows[band];
    const int first = std::max(top, 0), last = std::min(top + tile_height, picture.height);
    for (const int left : columns) {
      const std::vector<float> values = evaluate(left, top);
      PENSTOCK_CHECK(values.size() == planes * tile_pixels, "a tile has a value a pixel and plane");
      const int begin = std::max(left, 0), end = std::min(left + tile_width, width);
      for (int y = first; y < last; ++y) {
        const float* from = values.data() + static_cast<size_t>(y - top) * tile_width - left;
        OpenRow& to = open_row(y);
        for (int x = begin; x < end; ++x) {
          const float weight = down[y - top] * across[x - left];
          for (size_t p = 0; p < planes; ++p) to.values[p * width + x] += weight * from[p * tile_pixels + x];
          to.weights[x] += weight;
        }
      }
    }
    // Rows above the next band are complete.
    const int complete = band + 1 < rows.size() ? rows[band + 1] : picture.height;
    for (int y = first; y < complete; ++y) {
      OpenRow& done = open_row(y);
      for (size_t i = 0; i < done.values.size(); ++i) done.values[i] /= done.weights[i % static_cast<size_t>(width)];
      row(y, done.values);
      std::fill(done.values.begin(), done.values.end(), 0.0f);
      std::fill(done.weights.begin(), done.weights.end(), 0.0f);
    }
  }
}

}  // namespace penstock::stages
