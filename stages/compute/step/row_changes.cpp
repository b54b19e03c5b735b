#include "stages/compute/step/row_changes.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "stages/training/device_sampling.h"
#include "stages/training/name_table.h"
#include "stages/training/normalisations.h"

namespace penstock::stages {
namespace {

constexpr double share_of_blurred = 0.2, share_of_noisy = 0.3;
// A row that takes in more of its sample than this many pixels a pixel, in each direction, averages.
constexpr double shrinks_from = 1.4;

using Matrix = std::array<double, 9>;

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c = {};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 3; ++k) c[i * 3 + j] += a[i * 3 + k] * b[k * 3 + j];
    }
  }
  return c;
}

double octaves(const Draws& draws, double strength) { return std::exp2(draws.between(0, -strength, strength)); }

void invert(CropChange& change, const Draws& draws, double share) {
  if (draws.uniform(0) < share) change.values.inverts ^= 1;
}

// Near the identity, and each row's sum is 1: grey stays grey.
void mix_colours(CropChange& change, const Draws& draws, double strength, bool) {
  Matrix mix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (size_t row = 0; row < 3; ++row) {
    std::array<double, 3> moved;
    for (size_t i = 0; i < 3; ++i) moved[i] = draws.between(row * 3 + i, -strength, strength);
    const double mean = (moved[0] + moved[1] + moved[2]) / 3;
    for (size_t i = 0; i < 3; ++i) mix[row * 3 + i] += moved[i] - mean;
  }
  change.colours = product(mix, change.colours);
}

// The luma of ITU-R BT.601.
void take_colours_away(CropChange& change, const Draws& draws, double share, bool) {
  constexpr double r = 0.299, g = 0.587, b = 0.114;
  if (draws.uniform(0) < share) change.colours = product({r, g, b, r, g, b, r, g, b}, change.colours);
}

void blur(CropChange& change, const Draws& draws, double strength, bool) {
  if (draws.uniform(0) < share_of_blurred) change.blur = draws.between(1, 0, strength);
}

void add_noise(CropChange& change, const Draws& draws, double strength, bool) {
  if (draws.uniform(0) < share_of_noisy) change.noise = draws.between(1, 0, strength);
  change.noise_key = draws.bits(2);
}

void bend(CropChange& change, const Draws& draws, double strength, bool) {
  change.bend = draws.between(0, 0, strength);
  change.bend_key = draws.bits(1);
}

int32_t fixed(double pixels) { return static_cast<int32_t>(std::lround(pixels * 32768)); }

// From a place in the crop to one in the sample: turned, slanted and made smaller by the zoom.
RowMap map_of(const CropChange& change) {
  const double cosine = std::cos(change.angle) / change.zoom, sine = std::sin(change.angle) / change.zoom;
  return {.y_of_y = fixed(cosine - sine * change.shear),
          .y_of_x = fixed(sine),
          .x_of_y = fixed(-sine - cosine * change.shear),
          .x_of_x = fixed(cosine)};
}

// The matrix as it acts on normalised values: of channel c they are (v - mean) / sd.
void set_mix(const Matrix& colours, const Normaliser& normaliser, RowChange& change) {
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel;
  const auto mean = [&](size_t c) { return by_channel ? normaliser.mean[c] : 0.0; };
  const auto deviation = [&](size_t c) { return by_channel ? normaliser.sd[c] : 1.0; };
  change.mixes = 1;
  for (size_t row = 0; row < 3; ++row) {
    double shift = -mean(row);
    for (size_t c = 0; c < 3; ++c) {
      change.mix[row * 4 + c] = static_cast<float>(colours[row * 3 + c] * deviation(c) / deviation(row));
      shift += colours[row * 3 + c] * mean(c);
    }
    change.mix[row * 4 + 3] = static_cast<float>(shift / deviation(row));
  }
}

void set_blur(double deviation, RowChange& change) {
  std::array<double, blur_radius + 1> weights;
  for (int k = 0; k <= blur_radius; ++k)
    weights[static_cast<size_t>(k)] = std::exp(-k * k / (2 * deviation * deviation));
  const double sum = 2 * std::accumulate(weights.begin(), weights.end(), 0.0) - weights[0];
  change.blurs = 1;
  for (size_t k = 0; k < weights.size(); ++k) change.blur[k] = static_cast<float>(weights[k] / sum);
}

OpenTable<ChangeDraw>& table() {
  static OpenTable<ChangeDraw> rows(
      "draw",
      {{"scale", [](CropChange& change, const Draws& draws, double s, bool) { change.zoom = octaves(draws, s); }},
       {"rotate", [](CropChange& change, const Draws& draws, double s,
                     bool) { change.angle = draws.between(0, -s, s) * std::numbers::pi / 180; }},
       {"shear",
        [](CropChange& change, const Draws& draws, double s, bool) { change.shear = draws.between(0, -s, s); }},
       {"elastic", bend},
       {"gamma",
        [](CropChange& change, const Draws& draws, double s, bool) { change.values.gamma = octaves(draws, s); }},
       {"invert", [](CropChange& change, const Draws& draws, double s, bool) { invert(change, draws, s); }},
       {"invert_bright",
        [](CropChange& change, const Draws& draws, double s, bool bright) {
          if (bright) invert(change, draws, s);
        }},
       {"gain", [](CropChange& change, const Draws& draws, double s, bool) { change.values.gain = octaves(draws, s); }},
       {"offset",
        [](CropChange& change, const Draws& draws, double s, bool) { change.values.offset = draws.between(0, -s, s); }},
       {"colour", mix_colours},
       {"grey", take_colours_away},
       {"blur", blur},
       {"noise", add_noise}});
  return rows;
}

}  // namespace

const std::vector<ChangeDraw>& change_draws() { return table().rows(); }

void add_row(ChangeDraw draw) { table().add(std::move(draw)); }

CropChange draw_change(const Augmentation& augmentation, bool bright,
                       const std::function<Draws(const std::string& purpose)>& draws_of) {
  CropChange change;
  for (const auto& [name, strength] : augmentation.others)
    row_of(change_draws(), "draw", name).draw(change, draws_of("augment " + name), strength, bright);
  return change;
}

RowChange row_change_of(const CropChange& drawn, const Normaliser& normaliser) {
  RowChange change;
  CropChange quiet = drawn;
  if (drawn.noise == 0) quiet.noise_key = 0;
  if (drawn.bend == 0) quiet.bend_key = 0;
  if (quiet == CropChange{}) return change;
  change.active = 1;
  change.map = map_of(drawn);
  change.bend = {static_cast<int32_t>(std::lround(drawn.bend * 65536 / noise_deviation)), quiet.bend_key};
  change.averages = 1 / drawn.zoom > shrinks_from;
  change.values = drawn.values;
  if (drawn.colours != CropChange{}.colours) set_mix(drawn.colours, normaliser, change);
  if (drawn.blur > 0) set_blur(drawn.blur, change);
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel;
  const double unit = by_channel ? std::accumulate(normaliser.sd.begin(), normaliser.sd.end(), 0.0) /
                                       static_cast<double>(normaliser.sd.size())
                                 : 1.0;
  change.noise = static_cast<float>(drawn.noise / unit);
  change.noise_key = quiet.noise_key;
  return change;
}

void write_row_tables(const ValueChange& change, const Normaliser& normaliser, const std::pair<double, double>& range,
                      int channels, float* tables) {
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel;
  std::array<double, 256> values;
  const auto changed = [&change](double value) {
    if (change.gamma != 1) value = std::pow(value, change.gamma);
    if (change.inverts != 0) value = 1 - value;
    return value * change.gain + change.offset;
  };
  if (change != ValueChange{}) {
    const auto plain = by_channel ? Normaliser{}.table(range, 0) : normaliser.table(range, 0);
    std::transform(plain.begin(), plain.end(), values.begin(), changed);
  }
  for (int c = 0; c < channels; ++c, tables += row_table_length) {
    if (change == ValueChange{}) {
      const auto plain = normaliser.table(range, c);
      std::copy(plain.begin(), plain.end(), tables);
    } else {
      const double mean = by_channel ? normaliser.mean[static_cast<size_t>(c)] : 0,
                   deviation = by_channel ? normaliser.sd[static_cast<size_t>(c)] : 1;
      std::transform(values.begin(), values.end(), tables,
                     [&](double value) { return static_cast<float>((value - mean) / deviation); });
    }
    tables[row_table_length - 1] = tables[row_table_length - 2];
  }
}

}  // namespace penstock::stages
