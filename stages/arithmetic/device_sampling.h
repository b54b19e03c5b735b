// How a changed row (row_change.h) shows its sample, pixel by pixel: one text for the host, for the kernels and for
// their reference. Pure. Places and weights are integers, and values are rounded operation by operation, so host and
// device agree to the bit.
//
// A pixel: its place, turned, bent and mapped -> bytes (of 16 bits: bytes and a fraction) between four pixels of the
// sample, by weights of 7 bits -> a value, by the row's table or those of the four tiles around it -> stains changed ->
// channels mixed -> blurred within the row -> noise. A label is that of the nearest pixel.
#pragma once

#include "stages/arithmetic/device_work.h"

namespace penstock::stages {

// In 1/65536 of a pixel; (0, 0) is the centre of the sample's first pixel.
struct SamplePosition {
  int64_t y = 0, x = 0;

  PENSTOCK_BOTH SamplePosition operator+(const SamplePosition& other) const { return {y + other.y, x + other.x}; }
  PENSTOCK_BOTH SamplePosition operator-(const SamplePosition& other) const { return {y - other.y, x - other.x}; }
};

// SplitMix64 (draws.h): draw `i` of a row's noise, which serves three channels of a pixel.
PENSTOCK_BOTH inline uint64_t noise_bits(uint64_t key, uint64_t i) {
  uint64_t z = key + (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
PENSTOCK_BOTH inline int noise_groups(int channels) { return (channels + 2) / 3; }

// Of the 20 lowest bits: the sum of four uniform draws of 5 bits, near enough to a Gaussian of mean 0.
inline constexpr float noise_deviation = 18.466185f;
PENSTOCK_BOTH inline int32_t whole_noise_of(uint64_t bits) {
  return static_cast<int32_t>((bits & 31u) + ((bits >> 5) & 31u) + ((bits >> 10) & 31u) + ((bits >> 15) & 31u)) - 62;
}

// Weight of node `node` (0 to 3) of the four around pixel k of a cell, of a uniform cubic B-spline (de Boor 1978),
// times bend_whole; the four add up to that.
inline constexpr int64_t bend_whole = int64_t{6} * bend_cell * bend_cell * bend_cell;
PENSTOCK_BOTH inline int64_t bend_weight(int node, int64_t k) {
  constexpr int64_t c = bend_cell;
  if (node == 0) return (c - k) * (c - k) * (c - k);
  if (node == 1) return 3 * k * k * k - 6 * c * k * k + 4 * c * c * c;
  if (node == 2) return -3 * k * k * k + 3 * c * k * k + 3 * c * c * k + c * c * c;
  return k * k * k;
}

// The displacement of a node, in 1/65536 of a row's pixel.
PENSTOCK_BOTH inline SamplePosition bend_of_node(const RowBend& bend, int row, int column) {
  const uint64_t bits = noise_bits(bend.key, (static_cast<uint64_t>(row) << 32) + static_cast<uint64_t>(column));
  return {int64_t{bend.unit} * whole_noise_of(bits), int64_t{bend.unit} * whole_noise_of(bits >> 20)};
}

// The displacement that the weighted sum of 16 nodes is, as one of the sample's places. Integers up to here: their sum
// is the same in any order.
PENSTOCK_BOTH inline SamplePosition bent_by(const SamplePosition& sum, const RowMap& map) {
  const int64_t y = sum.y / (bend_whole * bend_whole), x = sum.x / (bend_whole * bend_whole);
  return {(map.y_of_y * y + map.y_of_x * x) >> 15, (map.x_of_y * y + map.x_of_x * x) >> 15};
}

// Of the pixel that stands at (at.y, at.x) before the row is turned.
PENSTOCK_BOTH inline SamplePosition bend_at(const PixelPlace& at, const RowChange& change) {
  SamplePosition sum;
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      const SamplePosition node = bend_of_node(change.bend, at.y / bend_cell + i, at.x / bend_cell + j);
      const int64_t weight = bend_weight(i, at.y % bend_cell) * bend_weight(j, at.x % bend_cell);
      sum = sum + SamplePosition{weight * node.y, weight * node.x};
    }
  }
  return bent_by(sum, change.map);
}

// What pixel (y, x) of a row of height x width shows where the row is not bent: linear in y and in x, in integers.
PENSTOCK_BOTH inline SamplePosition straight_position_of(int y, int x, int height, int width, const BatchRow& row) {
  const PixelPlace at = turned(y, x, height, width, static_cast<uint8_t>(row.orientation));
  const int64_t v = 2 * at.y + 1 - height, u = 2 * at.x + 1 - width;
  const RowMap& map = row.change.map;
  return {(2 * int64_t{row.top} + height - 1) * 32768 + map.y_of_y * v + map.y_of_x * u,
          (2 * int64_t{row.left} + width - 1) * 32768 + map.x_of_y * v + map.x_of_x * u};
}

PENSTOCK_BOTH inline SamplePosition position_of(int y, int x, int height, int width, const BatchRow& row) {
  const SamplePosition straight = straight_position_of(y, x, height, width, row);
  if (row.change.bend.unit == 0) return straight;
  return straight + bend_at(turned(y, x, height, width, static_cast<uint8_t>(row.orientation)), row.change);
}

// A quarter of the row's pixel down, and one to the right: the four places that are averaged are at +- these.
PENSTOCK_BOTH inline SamplePosition quarter_down(const RowMap& map) { return {map.y_of_y >> 1, map.x_of_y >> 1}; }
PENSTOCK_BOTH inline SamplePosition quarter_right(const RowMap& map) { return {map.y_of_x >> 1, map.x_of_x >> 1}; }

// The pixel nearest to a position, counted from the sample's first; mirrored beyond its edges.
PENSTOCK_BOTH inline int64_t nearest_pixel(const SamplePosition& at, const SamplePlace& place) {
  return static_cast<int64_t>(mirrored(static_cast<int>((at.y + 32768) >> 16), place.height)) * place.width +
         mirrored(static_cast<int>((at.x + 32768) >> 16), place.width);
}

// Weights of 7 bits: a product of two and a byte fits 22 bits, and one of them 15, for instructions of 16 bits with
// sign.
inline constexpr int weight_bits = 7, byte_fraction_bits = 2 * weight_bits;

// How far a position is beyond the pixel to its left (or above), in weights.
PENSTOCK_BOTH inline uint32_t weight_of(int64_t at) {
  return static_cast<uint32_t>(at >> (16 - weight_bits)) & ((1u << weight_bits) - 1);
}

// The value at a position, in 1/16384; up to four of them fit 32 bits. `image` begins with the channel's first value,
// `step` values a pixel; T: of 8 or 16 bits.
template <typename T>
PENSTOCK_BOTH inline uint32_t value_at(const T* image, int step, const SamplePosition& at, const SamplePlace& place) {
  constexpr uint32_t whole = 1u << weight_bits;
  const int y = static_cast<int>(at.y >> 16), x = static_cast<int>(at.x >> 16);
  const uint32_t below = weight_of(at.y), right = weight_of(at.x);
  const int64_t line = static_cast<int64_t>(mirrored(y, place.height)) * place.width,
                next = static_cast<int64_t>(mirrored(y + 1, place.height)) * place.width;
  const int column = mirrored(x, place.width), beside = mirrored(x + 1, place.width);
  return (whole - right) * ((whole - below) * image[(line + column) * step] + below * image[(next + column) * step]) +
         right * ((whole - below) * image[(line + beside) * step] + below * image[(next + beside) * step]);
}

// A value in bytes, both in 1/16384. A byte is 257 values of 16 bits.
PENSTOCK_BOTH inline uint32_t bytes_in(uint32_t value, uint8_t) { return value; }
PENSTOCK_BOTH inline uint32_t bytes_in(uint32_t value, uint16_t) { return value / 257; }

template <typename T>
PENSTOCK_BOTH inline uint32_t byte_shown(const T* image, int step, const SamplePosition& at, const RowChange& change,
                                         const SamplePlace& place) {
  if (change.averages == 0) return bytes_in(value_at(image, step, at, place), T{});
  const SamplePosition down = quarter_down(change.map), right = quarter_right(change.map);
  return bytes_in((value_at(image, step, at - down - right, place) + value_at(image, step, at - down + right, place) +
                   value_at(image, step, at + down - right, place) + value_at(image, step, at + down + right, place)) >>
                      2,
                  T{});
}

// `byte` is in 1/16384; `low`: the table's value of the whole byte, `difference`: what the next is above it.
PENSTOCK_BOTH inline float value_between(float low, float difference, uint32_t byte) {
  constexpr uint32_t mask = (1u << byte_fraction_bits) - 1;
  return low + difference * (static_cast<float>(static_cast<int32_t>(byte & mask)) * (1.0f / (mask + 1)));
}

// `table` has row_table_length values.
PENSTOCK_BOTH inline float value_of(const float* table, uint32_t byte) {
  const float low = table[byte >> byte_fraction_bits];
  return value_between(low, table[(byte >> byte_fraction_bits) + 1] - low, byte);
}

// A sample's value as its table (256 values) shows it: of 16 bits between two of them.
PENSTOCK_BOTH inline float shown_value(const float* table, uint8_t value) { return table[value]; }
PENSTOCK_BOTH inline float shown_value(const float* table, uint16_t value) {
  if (value == 65535) return table[255];
  return value_of(table, bytes_in(uint32_t{value} << byte_fraction_bits, value));
}

// Among which four tiles of a row's window a position lies: the centres of the upper left one's and of those beside and
// below it are around it, but for the window's edges.
struct TilePlace {
  int row = 0, column = 0;  // of the upper left one
  float below = 0, right = 0;
};

PENSTOCK_BOTH inline float tiles_from(int64_t at, int begin, int size) {
  const float tiles = static_cast<float>(at + 32768 - int64_t{begin} * 65536) *
                          (static_cast<float>(row_tiles) / (65536.0f * static_cast<float>(size))) -
                      0.5f;
  return tiles < 0 ? 0.0f : tiles > row_tiles - 1 ? static_cast<float>(row_tiles - 1) : tiles;
}

PENSTOCK_BOTH inline TilePlace tile_at(const SamplePosition& at, int height, int width, const BatchRow& row) {
  const float y = tiles_from(at.y, row.top, height), x = tiles_from(at.x, row.left, width);
  const int line = static_cast<int>(y), column = static_cast<int>(x);
  TilePlace place;
  place.row = line < row_tiles - 2 ? line : row_tiles - 2;
  place.column = column < row_tiles - 2 ? column : row_tiles - 2;
  place.below = y - static_cast<float>(place.row), place.right = x - static_cast<float>(place.column);
  return place;
}

// `tables`: of all tiles.
PENSTOCK_BOTH inline float value_among(const float* tables, int channels, int c, const TilePlace& tile, uint32_t byte) {
  const auto of_tile = [&](int row, int column) {
    const int number = ((tile.row + row) * row_tiles + tile.column + column) * channels + c;
    return value_of(tables + static_cast<int64_t>(number) * row_table_length, byte);
  };
  const float upper = of_tile(0, 0), lower = of_tile(1, 0);
  const float above = upper + tile.right * (of_tile(0, 1) - upper),
              under = lower + tile.right * (of_tile(1, 1) - lower);
  return above + tile.below * (under - above);
}

PENSTOCK_BOTH inline float mixed(const float* mix, float a, float b, float c) {
  return mix[0] * a + mix[1] * b + mix[2] * c + mix[3];
}

// The share of the light that passes an optical density: e^-density, to 1e-5 of it, for densities of -10 to 80. By
// 2^(k + f), f in [-0.5, 0.5], with the first six terms of the series for 2^f.
PENSTOCK_BOTH inline float transmitted(float density) {
  const float x = density * -1.44269504f;
  const float limited = x < -120.0f ? -120.0f : x > 100.0f ? 100.0f : x;
  const auto biased = static_cast<int32_t>(limited + 127.5f);
  const float f = limited - static_cast<float>(biased - 127);
  const float series =
      1.0f + f * (0.693147181f + f * (0.240226507f + f * (0.0555041087f + f * (0.00961812911f + f * 0.00133335581f))));
  const uint32_t bits = static_cast<uint32_t>(biased) << 23;
  float power = 0;
  memcpy(&power, &bits, sizeof power);
  return series * power;
}

// Three channels at once.
struct Colour {
  float red = 0, green = 0, blue = 0;
};

PENSTOCK_BOTH inline Colour mixed_colour(const float* mix, const Colour& from) {
  return {mixed(mix, from.red, from.green, from.blue), mixed(mix + 4, from.red, from.green, from.blue),
          mixed(mix + 8, from.red, from.green, from.blue)};
}

PENSTOCK_BOTH inline Colour seen_through(const float* stain, const Colour& densities) {
  const Colour changed = mixed_colour(stain, densities);
  return {transmitted(changed.red), transmitted(changed.green), transmitted(changed.blue)};
}

// Value `at` of a line of `size` values that are `stride` apart, blurred along it.
PENSTOCK_BOTH inline float blurred(const float* line, int64_t stride, int at, int size, const float* weights) {
  float sum = weights[0] * line[at * stride];
  for (int k = 1; k <= blur_radius; ++k)
    sum = sum + weights[k] * (line[mirrored(at - k, size) * stride] + line[mirrored(at + k, size) * stride]);
  return sum;
}

// Of deviation 1.
PENSTOCK_BOTH inline float noise_of(uint64_t bits) {
  return static_cast<float>(whole_noise_of(bits)) * (1.0f / noise_deviation);
}

PENSTOCK_BOTH inline float noise_at(uint64_t key, int64_t pixel, int channels, int c) {
  return noise_of(noise_bits(key, static_cast<uint64_t>(pixel * noise_groups(channels) + c / 3)) >> (20 * (c % 3)));
}

// Writes a value of a batch, in its format.
PENSTOCK_BOTH inline void put_value(const GatherWork& work, int64_t at, float value) {
  if (work.bfloat16)
    static_cast<uint16_t*>(work.batch_images)[at] = bfloat16_of(value);
  else
    static_cast<float*>(work.batch_images)[at] = value;
}

// Value `at` of row n's [H,W,C], after its blur.
PENSTOCK_BOTH inline void put_changed(const GatherWork& work, int n, int64_t at, const RowChange& change, float value) {
  if (change.noise != 0) {
    const auto c = static_cast<int>(at % work.channels);
    value = value + change.noise * noise_at(change.noise_key, at / work.channels, work.channels, c);
  }
  put_value(work, static_cast<int64_t>(n) * work.height * work.width * work.channels + at, value);
}

// The pixel, counted from the first of all samples, whose label pixel (y, x) of a row has.
PENSTOCK_BOTH inline int64_t labelled_pixel(int y, int x, int height, int width, const BatchRow& row,
                                            const SamplePlace& place) {
  if (row.change.active == 0) return source_pixel(y, x, height, width, row, place);
  return place.begin + nearest_pixel(position_of(y, x, height, width, row), place);
}

// What pixel `pixel` of row n should be.
PENSTOCK_BOTH inline float target_of_pixel(const GatherWork& work, int n, int pixel, const Target& target) {
  const auto object_at = [&](int y, int x) {
    const BatchRow& row = work.rows[n];
    return work.objects[labelled_pixel(y, x, work.height, work.width, row, work.places[row.sample])];
  };
  return target_value(target, pixel / work.width, pixel % work.width, work.height, work.width, object_at);
}

// gather_pixel() of samples whose values are `images`.
template <typename T>
PENSTOCK_BOTH inline void gather_pixel_of(const T* images, const GatherWork& work, int n, int pixel) {
  const BatchRow& row = work.rows[n];
  const RowChange& change = row.change;
  const SamplePlace& place = work.places[row.sample];
  const int y = pixel / work.width, x = pixel % work.width, channels = work.channels;
  const int64_t first = static_cast<int64_t>(n) * work.height * work.width * channels;
  if (change.active == 0) {
    const int64_t from = source_pixel(y, x, work.height, work.width, row, place);
    const T* image = images + from * channels;
    const float* table = work.tables + row.sample * work.sample_stride;
    for (int c = 0; c < channels; ++c)
      put_value(work, first + static_cast<int64_t>(pixel) * channels + c,
                shown_value(table + c * work.channel_stride, image[c]));
    return;
  }
  const SamplePosition at = position_of(y, x, work.height, work.width, row);
  const T* image = images + place.begin * channels;
  const float* tables = work.row_tables + n * work.row_stride;
  const TilePlace tile = tile_at(at, work.height, work.width, row);
  const auto shown = [&](int c) {
    const uint32_t byte = byte_shown(image + c, channels, at, change, place);
    return change.clip != 0 ? value_among(tables, channels, c, tile, byte)
                            : value_of(tables + c * row_table_length, byte);
  };
  const auto put = [&](int c, float value) {
    const int64_t to = static_cast<int64_t>(pixel) * channels + c;
    if (change.blurs != 0)
      work.scratch[first + to] = value;
    else
      put_changed(work, n, to, change, value);
  };
  if (change.mixes != 0) {
    Colour colour = {shown(0), shown(1), shown(2)};
    if (change.stains != 0) colour = seen_through(change.stain, colour);
    colour = mixed_colour(change.mix, colour);
    put(0, colour.red), put(1, colour.green), put(2, colour.blue);
  } else {
    for (int c = 0; c < channels; ++c) put(c, shown(c));
  }
}

// Pixel `pixel` of row n: its values go to the batch; those of a row that is blurred to the first half of the scratch
// memory.
PENSTOCK_BOTH inline void gather_pixel(const GatherWork& work, int n, int pixel) {
  if (work.wide)
    gather_pixel_of(reinterpret_cast<const uint16_t*>(work.images), work, n, pixel);
  else
    gather_pixel_of(work.images, work, n, pixel);
}

// Value `at` of row n's [H,W,C], if the row is blurred: along its line from the first half of the scratch memory to the
// second; then, when all are there, along its column to the batch.
PENSTOCK_BOTH inline void blur_along_line(const GatherWork& work, int n, int64_t at) {
  const RowChange& change = work.rows[n].change;
  if (change.blurs == 0) return;
  const int64_t line = static_cast<int64_t>(work.width) * work.channels, all = line * work.height;
  const int64_t begin = n * all + at / line * line + at % work.channels;
  work.scratch[work.count * all + n * all + at] = blurred(
      work.scratch + begin, work.channels, static_cast<int>(at % line / work.channels), work.width, change.blur);
}
PENSTOCK_BOTH inline void blur_along_column(const GatherWork& work, int n, int64_t at) {
  const RowChange& change = work.rows[n].change;
  if (change.blurs == 0) return;
  const int64_t line = static_cast<int64_t>(work.width) * work.channels, all = line * work.height;
  const float* column = work.scratch + work.count * all + n * all + at % line;
  put_changed(work, n, at, change, blurred(column, line, static_cast<int>(at / line), work.height, change.blur));
}

}  // namespace penstock::stages
