// The arithmetic of a training step that is our own, element by element: one text for the host's code, for the kernels
// (cuda/kernels.cu) and for the reference that these are compared with. Pure. Both compilers round each operation by
// itself (no fused multiply-add), so host and device agree to the bit.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "stages/arithmetic/figures.h"

#ifdef __CUDACC__
#define PENSTOCK_BOTH __host__ __device__
#else
#define PENSTOCK_BOTH
#endif

namespace penstock::stages {

// ---- samples ----

// How a sample is turned and mirrored (Orientation in compute/step/step_samples.h), in one byte.
inline constexpr uint8_t flip_x_bit = 1, flip_y_bit = 2, transpose_bit = 4;

struct PixelPlace {
  int y = 0, x = 0;
};

// The pixel of the original that pixel (y, x) of the changed one shows. A transposed one is square.
PENSTOCK_BOTH inline PixelPlace turned(int y, int x, int height, int width, uint8_t orientation) {
  const int from_y = orientation & flip_y_bit ? height - 1 - y : y;
  const int from_x = orientation & flip_x_bit ? width - 1 - x : x;
  return orientation & transpose_bit ? PixelPlace{from_x, from_y} : PixelPlace{from_y, from_x};
}

// Which of a line's `size` pixels stands at place `i` of a line without ends, in which the pixels are mirrored at each
// edge: place -1 shows pixel 0, place `size` shows pixel size - 1. The period is 2 * size.
PENSTOCK_BOTH inline int mirrored(int i, int size) {
  if (i >= 0 && i < size) return i;
  if (i < 0 && i >= -size) return -1 - i;  // one reflection: no division
  if (i >= size && i < 2 * size) return 2 * size - 1 - i;
  const int period = 2 * size;
  const int at = i % period < 0 ? i % period + period : i % period;
  return at < size ? at : period - 1 - at;
}

// ---- targets ----

// What an output channel of the network stands for (targets.h); `nearness` is none, but weighs the loss of the others.
enum class TargetKind : int32_t { mask, border, interior, distance, horizontal, vertical, own, nearness };

inline constexpr int most_targets = 8;

struct Target {
  TargetKind kind = TargetKind::mask;
  // Pixels: of a border and of an interior; of a distance, the largest; of nearness, sigma. Of an own target, its row
  // in target_rules().
  int32_t radius = 1;
};

struct TargetList {
  int32_t count = 0;
  Target targets[most_targets + 1] = {};  // and the nearness of objects
};

// Whether two objects meet within `radius` pixels of pixel (y, x) of a piece: the square around it, as far as the piece
// reaches, holds two different ones. `object_at(y, x)`: 0 of background.
template <typename ObjectAt>
PENSTOCK_BOTH inline bool objects_meet(int radius, int y, int x, int height, int width, const ObjectAt& object_at) {
  decltype(object_at(y, x)) first = 0;
  for (int i = y > radius ? y - radius : 0; i <= y + radius && i < height; ++i) {
    for (int j = x > radius ? x - radius : 0; j <= x + radius && j < width; ++j) {
      const auto object = object_at(i, j);
      if (object == 0 || object == first) continue;
      if (first != 0) return true;
      first = object;
    }
  }
  return false;
}

// Whether all pixels within `radius` of pixel (y, x) of a piece, the square around it as far as the piece reaches, are
// of one object.
template <typename ObjectAt>
PENSTOCK_BOTH inline bool is_interior(int radius, int y, int x, int height, int width, const ObjectAt& object_at) {
  const auto object = object_at(y, x);
  if (object == 0) return false;
  for (int i = y > radius ? y - radius : 0; i <= y + radius && i < height; ++i) {
    for (int j = x > radius ? x - radius : 0; j <= x + radius && j < width; ++j) {
      if (object_at(i, j) != object) return false;
    }
  }
  return true;
}

// How far pixel (y, x) of a piece is from the nearest pixel that is not of its object, as far as the piece reaches:
// steps to any of eight neighbours (the chessboard distance), `limit` at most. 0 in the background.
template <typename ObjectAt>
PENSTOCK_BOTH inline int distance_inside(int limit, int y, int x, int height, int width, const ObjectAt& object_at) {
  const auto object = object_at(y, x);
  if (object == 0) return 0;
  int nearest = limit;
  for (int i = y >= limit ? y - limit + 1 : 0; i < y + limit && i < height; ++i) {
    for (int j = x >= limit ? x - limit + 1 : 0; j < x + limit && j < width; ++j) {
      if (object_at(i, j) == object) continue;
      const int down = i > y ? i - y : y - i, across = j > x ? j - x : x - j;
      const int steps = down > across ? down : across;
      nearest = steps < nearest ? steps : nearest;
    }
  }
  return nearest;
}

// How far along its object pixel (y, x) of a piece is, as far as the piece reaches: the middle of the pixel's place in
// the run of its object's pixels to the left and right of it, or above and below, in (0, 1). 0.5 in the background.
// (Graham et al. 2019, arXiv:1812.06499, measure from the object's centre instead, which is not known in a piece.)
template <typename ObjectAt>
PENSTOCK_BOTH inline float place_along(bool horizontal, int y, int x, int height, int width,
                                       const ObjectAt& object_at) {
  const auto object = object_at(y, x);
  if (object == 0) return 0.5f;
  const int place = horizontal ? x : y, end = horizontal ? width : height;
  const auto is_same = [&](int i) { return (horizontal ? object_at(y, i) : object_at(i, x)) == object; };
  int first = place, last = place + 1;
  while (first > 0 && is_same(first - 1)) --first;
  while (last < end && is_same(last)) ++last;
  return (static_cast<float>(place - first) + 0.5f) / static_cast<float>(last - first);
}

// The two nearest of the objects that were met, and the squares of their distances, pixels.
struct NearestTwo {
  static constexpr int none = 1 << 30;
  int object[2] = {0, 0};
  int square[2] = {none, none};

  PENSTOCK_BOTH void meet(int met, int at) {
    if (met == object[0]) {
      square[0] = at < square[0] ? at : square[0];
    } else if (at < square[0]) {
      object[1] = object[0], square[1] = square[0];
      object[0] = met, square[0] = at;
    } else if (at < square[1]) {
      object[1] = met, square[1] = at;
    }
  }
};

// e to the power of -s, s in [0, 4.5], to 1e-5 of it: of additions and multiplications alone, so that host and device
// agree.
PENSTOCK_BOTH inline float exp_of_minus(float s) {
  const float x = s / 16;
  float e = 1 - x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))));
  for (int i = 0; i < 4; ++i) e = e * e;
  return e;
}

// How near to each other two objects are at a pixel from which they are so far: exp(-(d1 + d2)^2 / (2 sigma^2)), the
// border term of the U-Net paper's weights (Ronneberger et al. 2015, arXiv:1505.04597, equation 2). 0 where d1 + d2 is
// more than 3 sigma (there the formula says 0.011 or less).
PENSTOCK_BOTH inline float nearness_of(int sigma, const NearestTwo& nearest) {
  const int reach = 3 * sigma;
  if (nearest.square[1] > reach * reach) return 0;
  const float far = sqrtf(static_cast<float>(nearest.square[0])) + sqrtf(static_cast<float>(nearest.square[1]));
  if (far > static_cast<float>(reach)) return 0;
  return exp_of_minus(far * far / static_cast<float>(2 * sigma * sigma));
}

// That of pixel (y, x) of a piece, as far as the piece reaches, by rings of pixels around it. An object's distance is
// that of its nearest pixel, 0 inside it.
template <typename ObjectAt>
PENSTOCK_BOTH inline float objects_near(int sigma, int y, int x, int height, int width, const ObjectAt& object_at) {
  NearestTwo nearest;
  const auto meet = [&](int i, int j) {
    if (i < 0 || i >= height || j < 0 || j >= width) return;
    const int object = object_at(i, j);
    if (object != 0) nearest.meet(object, (i - y) * (i - y) + (j - x) * (j - x));
  };
  // No pixel of a ring is nearer than its radius.
  for (int ring = 0; ring <= 3 * sigma && ring * ring < nearest.square[1]; ++ring) {
    if (2 * ring > 3 * sigma && nearest.square[0] == NearestTwo::none) break;
    for (int i = y - ring; i <= y + ring; ++i) {
      const bool whole = i == y - ring || i == y + ring;
      for (int j = x - ring; j <= x + ring; j += whole ? 1 : 2 * ring) meet(i, j);
    }
  }
  return nearness_of(sigma, nearest);
}

// The value that a channel should have at that pixel; not of an own target, which only the host knows (targets.h).
template <typename ObjectAt>
PENSTOCK_BOTH inline float target_value(const Target& target, int y, int x, int height, int width,
                                        const ObjectAt& object_at) {
  if (target.kind == TargetKind::border)
    return objects_meet(target.radius, y, x, height, width, object_at) ? 1.0f : 0.0f;
  if (target.kind == TargetKind::interior)
    return is_interior(target.radius, y, x, height, width, object_at) ? 1.0f : 0.0f;
  if (target.kind == TargetKind::distance) {
    return static_cast<float>(distance_inside(target.radius, y, x, height, width, object_at)) /
           static_cast<float>(target.radius);
  }
  if (target.kind == TargetKind::horizontal || target.kind == TargetKind::vertical)
    return place_along(target.kind == TargetKind::horizontal, y, x, height, width, object_at);
  if (target.kind == TargetKind::nearness) return objects_near(target.radius, y, x, height, width, object_at);
  return object_at(y, x) != 0 ? 1.0f : 0.0f;
}

// Rounds to the nearest bfloat16, ties to even: its 16 bits.
PENSTOCK_BOTH inline uint16_t bfloat16_of(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // NaN stays NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// ---- figures ----

// Counts of tp, fp, fn, tn as shares of `pixels`.
PENSTOCK_BOTH inline void share_pixels(const uint32_t* counts, double pixels, StepFigures& figures) {
  figures.tp = static_cast<float>(static_cast<double>(counts[0]) / pixels);
  figures.fp = static_cast<float>(static_cast<double>(counts[1]) / pixels);
  figures.fn = static_cast<float>(static_cast<double>(counts[2]) / pixels);
  figures.tn = static_cast<float>(static_cast<double>(counts[3]) / pixels);
}

// ---- the gradient's norm ----

// Squares are added by norm_lanes lanes, lane l taking elements l, l + lanes, ...; then the lanes of a block of
// norm_width by halves (lane l takes in lane l + 128, then l + 64, ...), then the blocks' sums the same way.
inline constexpr int norm_width = 256;
inline constexpr int norm_lanes = norm_width * norm_width;

PENSTOCK_BOTH inline double squares_of_lane(const float* values, size_t count, size_t lane) {
  double sum = 0;
  for (size_t i = lane; i < count; i += norm_lanes)
    sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

// What a gradient of this norm is multiplied with so that it is at most `clip` long; clip 0: never.
PENSTOCK_BOTH inline float clip_scale(double norm, double clip) {
  return static_cast<float>(norm > clip && clip > 0 ? clip / norm : 1.0);
}

// ---- the optimiser ----

enum class OptimiserKind : int32_t { sgd, adam, adamw };

// Of one update; the same for all elements.
struct UpdateFactors {
  OptimiserKind kind = OptimiserKind::adamw;
  float rate = 0;      // learning rate; with Adam's correction of the first moment
  float root = 1;      // Adam's correction of the second moment's root
  float decay = 1;     // AdamW: what a weight is multiplied with
  float coupled = 0;   // weight decay that is added to the gradient
  float momentum = 0;  // of SGD
};

inline constexpr double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;

// `step` is 1 for the first update.
inline UpdateFactors factors_of(OptimiserKind kind, double lr, double weight_decay, double momentum, int64_t step) {
  UpdateFactors factors;
  factors.kind = kind;
  factors.coupled = static_cast<float>(kind == OptimiserKind::adamw ? 0 : weight_decay);
  factors.momentum = static_cast<float>(momentum);
  factors.rate = static_cast<float>(lr);
  if (kind == OptimiserKind::sgd) return factors;
  const double correction1 = 1 - std::pow(adam_beta1, static_cast<double>(step)),
               correction2 = 1 - std::pow(adam_beta2, static_cast<double>(step));
  factors.rate = static_cast<float>(lr / correction1);
  factors.root = static_cast<float>(1 / std::sqrt(correction2));
  factors.decay = static_cast<float>(kind == OptimiserKind::adamw ? 1 - lr * weight_decay : 1);
  return factors;
}

// `gradient` is scaled already. The velocity is v.
PENSTOCK_BOTH inline void sgd_element(const UpdateFactors& f, float gradient, float& w, float& v) {
  const float g = gradient + f.coupled * w;
  v = f.momentum * v + g;
  w -= f.rate * v;
}

PENSTOCK_BOTH inline void adam_element(const UpdateFactors& f, float gradient, float& w, float& m, float& v) {
  constexpr float b1 = static_cast<float>(adam_beta1), c1 = static_cast<float>(1 - adam_beta1);
  constexpr float b2 = static_cast<float>(adam_beta2), c2 = static_cast<float>(1 - adam_beta2),
                  small = static_cast<float>(adam_epsilon);
  const float g = gradient + f.coupled * w;
  m = b1 * m + c1 * g;
  v = b2 * v + c2 * g * g;
  w = f.decay * w - f.rate * m / (sqrtf(v) * f.root + small);
}

// ---- averaged weights ----

// An exponential moving average a of the weights w (Polyak and Juditsky 1992; with such a decay: Tarvainen and Valpola
// 2017, arXiv:1703.01780): a = d a + (1 - d) w after each update. Returns 1 - d for update `step`, 1 for the first.
// d = min(decay, (1 + step) / (10 + step)), so that the random weights of the start are soon forgotten.
inline float average_share(double decay, int64_t step) {
  const auto updates = static_cast<double>(step);
  const double warm = (1 + updates) / (10 + updates);
  return static_cast<float>(1 - (decay < warm ? decay : warm));
}

// An average of equal values stays what it is.
PENSTOCK_BOTH inline void average_element(float share, float value, float& average) {
  average += share * (value - average);
}

}  // namespace penstock::stages
