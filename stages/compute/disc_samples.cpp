#include "stages/compute/disc_samples.h"

#include <fmt/format.h>

#include <cmath>

#include "stages/draws.h"

namespace penstock::stages {

std::vector<GridSample> disc_samples(int count, int size) {
  std::vector<GridSample> samples;
  for (int i = 0; i < count; ++i) {
    GridSample sample;
    sample.id = fmt::format("disc {}", i);
    sample.width = sample.height = size;
    const Draws draws(i, "device check disc");
    const double y0 = draws.between(0, 0.3, 0.7) * size, x0 = draws.between(1, 0.3, 0.7) * size,
                 radius = draws.between(2, 0.1, 0.3) * size;
    for (int p = 0; p < size * size; ++p) {
      sample.mask.push_back(std::hypot(p / size - y0, p % size - x0) < radius);
      for (int c = 0; c < 3; ++c)
        sample.image.push_back(static_cast<uint8_t>(40 + sample.mask.back() * 100 +
                                                    draws.below(static_cast<uint64_t>(10 + p * 3 + c), 60)));
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace penstock::stages
