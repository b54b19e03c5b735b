#include "stages/compute/scores/surface.h"

#include <array>

#include "stages/training/targets.h"

namespace penstock::stages {
namespace {

// For each pixel p of the region the sum over its neighbours q of (u_p - u_q - slope) is zero; u is 0 in the
// background. Neighbours share an edge; beyond the picture there are none. By successive over-relaxation (Young 1954).
class Surface {
 public:
  Surface(const PixelMaps& maps, const std::vector<uint8_t>& region)
      : region_(region), width_(static_cast<size_t>(maps.width)), place_(region.size()) {
    for (size_t i = 0; i < region.size(); ++i) {
      if (region[i] == 0) continue;
      place_[i] = static_cast<uint32_t>(pixels_.size() + 1);
      pixels_.push_back({.at = i});
    }
    const auto along = [&](TargetKind kind) { return maps.plane(static_cast<size_t>(channel_of(maps.targets, kind))); };
    const auto across = along(TargetKind::horizontal), down = along(TargetKind::vertical);
    for (Pixel& pixel : pixels_) {
      const size_t i = pixel.at, x = i % width_;
      if (i >= width_) join(pixel, up, i - width_, down, 1);
      if (x > 0) join(pixel, left, i - 1, across, 1);
      if (x + 1 < width_) join(pixel, right, i + 1, across, -1);
      if (i + width_ < region.size()) join(pixel, under, i + width_, down, -1);
      if (pixel.neighbours > 0) pixel.share = relaxation / static_cast<float>(pixel.neighbours);
    }
  }

  std::vector<float> heights() const {
    std::vector<float> u(pixels_.size() + 1);  // first the background's
    const auto relax = [&](size_t p) {
      const Pixel& pixel = pixels_[p];
      const auto& [a, b, c, d] = pixel.next;
      const float fit = (u[a] + u[b]) + (u[c] + u[d]) + pixel.rise;
      u[p + 1] += pixel.share * (fit - static_cast<float>(pixel.neighbours) * u[p + 1]);
    };
    for (int sweep = 0; sweep < sweeps; ++sweep)
      for (size_t p = 0; p < pixels_.size(); ++p) relax(p);
    std::vector<float> heights(region_.size());
    for (size_t p = 0; p < pixels_.size(); ++p) heights[pixels_[p].at] = u[p + 1];
    return heights;
  }

 private:
  // Best for regions some 60 pixels across. Of one 100 pixels across a tenth of the height is missing.
  static constexpr float relaxation = 1.9f;
  static constexpr int sweeps = 100;

  enum Side : uint8_t { up, left, right, under };
  struct Pixel {
    size_t at = 0;
    std::array<uint32_t, 4> next{};  // the places of its neighbours in the region; 0: background, or none
    int neighbours = 0;              // with those in the background
    float rise = 0;                  // from them to it, together
    float share = 0;
  };

  // A neighbour: the slope between them is the mean of theirs, the background's being none.
  void join(Pixel& pixel, Side side, size_t to, std::span<const float> along, float sign) {
    pixel.next[side] = place_[to];
    ++pixel.neighbours;
    const float here = 1 - 2 * along[pixel.at], there = region_[to] != 0 ? 1 - 2 * along[to] : 0;
    pixel.rise += sign * 0.5f * (here + there);
  }

  const std::vector<uint8_t>& region_;
  const size_t width_;
  std::vector<uint32_t> place_;  // of a pixel among those of the region, from 1 on
  std::vector<Pixel> pixels_;
};

}  // namespace

std::vector<float> surface_of(const PixelMaps& maps, const std::vector<uint8_t>& region) {
  return Surface(maps, region).heights();
}

}  // namespace penstock::stages
