#include "stages/compute/step/row_changes.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "stages/arithmetic/device_sampling.h"
#include "stages/training/name_table.h"
#include "stages/training/normalisations.h"

namespace penstock::stages {
namespace {

constexpr double share_of_evened = 0.2, share_of_blurred = 0.2, share_of_noisy = 0.3;
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
void mix_colours(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
  Matrix mix = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (size_t row = 0; row < 3; ++row) {
    std::array<double, 3> moved;
    for (size_t i = 0; i < 3; ++i) moved[i] = draws.between(row * 3 + i, -strength, strength);
    const double mean = (moved[0] + moved[1] + moved[2]) / 3;
    for (size_t i = 0; i < 3; ++i) mix[row * 3 + i] += moved[i] - mean;
  }
  change.colours = product(mix, change.colours);
}

// How much red, green and blue a unit of haematoxylin, of eosin and of diaminobenzidine absorbs, row by row (Ruifrok
// and Johnston 2001, Analytical and Quantitative Cytology and Histology 23).
constexpr Matrix absorbed = {0.65, 0.70, 0.29, 0.07, 0.99, 0.11, 0.27, 0.57, 0.78};

Matrix inverse(const Matrix& m) {
  Matrix found;
  double determinant = 0;
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      const auto at = [&](size_t row, size_t column) { return m[(i + row) % 3 * 3 + (j + column) % 3]; };
      found[j * 3 + i] = at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1);
    }
    determinant += m[i] * found[i * 3];
  }
  for (double& value : found) value /= determinant;
  return found;
}

// Tellez et al. 2018 (doi 10.1109/TMI.2018.2820199).
void change_stains(CropChange& change, const Draws& draws, double strength, const PictureTraits& picture) {
  if (!picture.coloured) return;
  for (size_t dye = 0; dye < 3; ++dye) {
    change.stain_gain[dye] = draws.between(dye, 1 - strength, 1 + strength);
    change.stain_shift[dye] = draws.between(3 + dye, -strength, strength);
  }
}

// The luma of ITU-R BT.601.
void take_colours_away(CropChange& change, const Draws& draws, double share, const PictureTraits&) {
  constexpr double r = 0.299, g = 0.587, b = 0.114;
  if (draws.uniform(0) < share) change.colours = product({r, g, b, r, g, b, r, g, b}, change.colours);
}

void even_out(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
  if (draws.uniform(0) < share_of_evened) change.clip = draws.between(1, 0, strength);
}

void blur(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
  if (draws.uniform(0) < share_of_blurred) change.blur = draws.between(1, 0, strength);
}

void add_noise(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
  if (draws.uniform(0) < share_of_noisy) change.noise = draws.between(1, 0, strength);
  change.noise_key = draws.bits(2);
}

void bend(CropChange& change, const Draws& draws, double strength, const PictureTraits&) {
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

// The matrix as it acts on normalised values: of channel c they are (v - mean) / sd. Of stained rows it acts on v.
void set_mix(const Matrix& colours, const Normaliser& normaliser, RowChange& change) {
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel, normalised = change.stains == 0;
  const auto mean = [&](size_t c) { return by_channel ? normaliser.mean[c] : 0.0; };
  const auto deviation = [&](size_t c) { return by_channel ? normaliser.sd[c] : 1.0; };
  change.mixes = 1;
  for (size_t row = 0; row < 3; ++row) {
    double shift = -mean(row);
    for (size_t c = 0; c < 3; ++c) {
      change.mix[row * 4 + c] =
          static_cast<float>(colours[row * 3 + c] * (normalised ? deviation(c) : 1.0) / deviation(row));
      shift += normalised ? colours[row * 3 + c] * mean(c) : 0;
    }
    change.mix[row * 4 + 3] = static_cast<float>(shift / deviation(row));
  }
}

// From densities d (red, green, blue) to those of the changed amounts of the dyes: ((d A^-1) gain + shift) A.
void set_stain(const CropChange& drawn, RowChange& change) {
  Matrix gains = {}, by_dye = inverse(absorbed);
  for (size_t dye = 0; dye < 3; ++dye) gains[dye * 3 + dye] = drawn.stain_gain[dye];
  const Matrix all = product(product(by_dye, gains), absorbed);
  change.stains = 1;
  change.values.densities = 1;
  for (size_t c = 0; c < 3; ++c) {
    double shift = 0;
    for (size_t i = 0; i < 3; ++i) {
      change.stain[c * 4 + i] = static_cast<float>(all[i * 3 + c]);
      shift += drawn.stain_shift[i] * absorbed[i * 3 + c];
    }
    change.stain[c * 4 + 3] = static_cast<float>(shift);
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
      {{"scale", [](CropChange& change, const Draws& draws, double s,
                    const PictureTraits&) { change.zoom = octaves(draws, s); }},
       {"rotate", [](CropChange& change, const Draws& draws, double s,
                     const PictureTraits&) { change.angle = draws.between(0, -s, s) * std::numbers::pi / 180; }},
       {"shear", [](CropChange& change, const Draws& draws, double s,
                    const PictureTraits&) { change.shear = draws.between(0, -s, s); }},
       {"elastic", bend},
       {"gamma", [](CropChange& change, const Draws& draws, double s,
                    const PictureTraits&) { change.values.gamma = octaves(draws, s); }},
       {"invert",
        [](CropChange& change, const Draws& draws, double s, const PictureTraits&) { invert(change, draws, s); }},
       {"invert_bright",
        [](CropChange& change, const Draws& draws, double s, const PictureTraits& picture) {
          if (picture.bright) invert(change, draws, s);
        }},
       {"gain", [](CropChange& change, const Draws& draws, double s,
                   const PictureTraits&) { change.values.gain = octaves(draws, s); }},
       {"offset", [](CropChange& change, const Draws& draws, double s,
                     const PictureTraits&) { change.values.offset = draws.between(0, -s, s); }},
       {"clahe", even_out},
       {"colour", mix_colours},
       {"stain", change_stains},
       {"grey", take_colours_away},
       {"blur", blur},
       {"noise", add_noise}});
  return rows;
}

}  // namespace

const std::vector<ChangeDraw>& change_draws() { return table().rows(); }

void add_row(ChangeDraw draw) { table().add(std::move(draw)); }

CropChange draw_change(const Augmentation& augmentation, const PictureTraits& picture,
                       const std::function<Draws(const std::string& purpose)>& draws_of) {
  CropChange change;
  for (const auto& [name, strength] : augmentation.others)
    row_of(change_draws(), "draw", name).draw(change, draws_of("augment " + name), strength, picture);
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
  change.clip = static_cast<float>(drawn.clip);
  const CropChange same;
  const bool other_stains = drawn.stain_gain != same.stain_gain || drawn.stain_shift != same.stain_shift;
  if (other_stains && drawn.values.inverts == 0) set_stain(drawn, change);  // bright for dark: nothing absorbs there
  if (change.stains != 0 || drawn.colours != same.colours) set_mix(drawn.colours, normaliser, change);
  if (drawn.blur > 0) set_blur(drawn.blur, change);
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel;
  const double unit = by_channel ? std::accumulate(normaliser.sd.begin(), normaliser.sd.end(), 0.0) /
                                       static_cast<double>(normaliser.sd.size())
                                 : 1.0;
  change.noise = static_cast<float>(drawn.noise / unit);
  change.noise_key = quiet.noise_key;
  return change;
}

void write_value_tables(const ValueChange& change, const Normaliser& normaliser, const std::pair<double, double>& range,
                        int channels, float* tables) {
  const bool by_channel = normalisation_rule(normaliser.kind).by_channel;
  std::array<double, 256> values;
  const auto changed = [&change](double value) {
    if (change.gamma != 1) value = std::pow(value, change.gamma);
    if (change.inverts != 0) value = 1 - value;
    value = value * change.gain + change.offset;
    return change.densities != 0 ? -std::log(std::max(value, 1 / 255.0)) : value;
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
      const bool normalises = by_channel && change.densities == 0;
      const double mean = normalises ? normaliser.mean[static_cast<size_t>(c)] : 0,
                   deviation = normalises ? normaliser.sd[static_cast<size_t>(c)] : 1;
      std::transform(values.begin(), values.end(), tables,
                     [&](double value) { return static_cast<float>((value - mean) / deviation); });
    }
    tables[row_table_length - 1] = tables[row_table_length - 2];
  }
}

}  // namespace penstock::stages
