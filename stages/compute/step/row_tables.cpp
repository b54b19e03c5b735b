#include "stages/compute/step/row_tables.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "stages/compute/step/row_changes.h"

namespace penstock::stages {
namespace {

constexpr size_t byte_values = 256;
using Histogram = std::array<double, byte_values>;

// Of one tile, in whole bytes: its part of the row's window, mirrored at the sample's edges.
template <typename T>
Histogram histogram_of(const BatchRow& row, const GridSample& sample, const T* image, const InputShape& input,
                       int tile_y, int tile_x) {
  constexpr int byte = sizeof(T) == 1 ? 1 : wide_steps;
  Histogram counts = {};
  const auto edge = [](int size, int tile) { return size * tile / row_tiles; };
  for (int y = edge(input.height, tile_y); y < edge(input.height, tile_y + 1); ++y) {
    const size_t line = static_cast<size_t>(mirrored(row.top + y, sample.height)) * static_cast<size_t>(sample.width);
    for (int x = edge(input.width, tile_x); x < edge(input.width, tile_x + 1); ++x) {
      const size_t pixel = line + static_cast<size_t>(mirrored(row.left + x, sample.width));
      for (int c = 0; c < input.channels; ++c)
        ++counts[static_cast<size_t>(image[pixel * static_cast<size_t>(input.channels) + static_cast<size_t>(c)] /
                                     byte)];
    }
  }
  return counts;
}

// What each byte becomes, 0 to 255: the share of the tile below it, counts clipped at `clip` times their mean and what
// is above it spread over all.
Histogram evened_out(const Histogram& counts, double clip) {
  const double mean = std::accumulate(counts.begin(), counts.end(), 0.0) / byte_values, most = clip * mean;
  double above = 0;
  for (const double count : counts) above += std::max(0.0, count - most);
  Histogram becomes;
  double below = 0;
  for (size_t value = 0; value < byte_values; ++value) {
    const double count = std::min(counts[value], most) + above / byte_values;
    becomes[value] = 255 * (below + count / 2) / (mean * byte_values);
    below += count;
  }
  return becomes;
}

// `plain`: the tables of the whole row.
void write_tile(const Histogram& becomes, const RowTables& plain, int channels, float* to) {
  for (int c = 0; c < channels; ++c, to += row_table_length) {
    const float* values = plain.data() + static_cast<ptrdiff_t>(c) * row_table_length;
    for (size_t value = 0; value < byte_values; ++value) {
      const auto whole = static_cast<size_t>(becomes[value]);
      const auto part = static_cast<float>(becomes[value] - static_cast<double>(whole));
      to[value] = values[whole] + part * (values[whole + 1] - values[whole]);
    }
    to[byte_values] = to[byte_values - 1];
  }
}

}  // namespace

size_t table_values(int channels, bool by_tile) {
  return static_cast<size_t>(channels) * row_table_length * (by_tile ? row_tiles * row_tiles : 1);
}

RowTables tables_of(const BatchRow& row, const StepSamples& data, const SampleLook& look) {
  const int channels = data.input().channels;
  RowTables plain(table_values(channels, false));
  write_value_tables(row.change.values, data.normaliser(), look.range, channels, plain.data());
  if (row.change.clip == 0) return plain;
  RowTables tables(table_values(channels, true));
  const GridSample& sample = data.samples()[static_cast<size_t>(row.sample)];
  for (int tile = 0; tile < row_tiles * row_tiles; ++tile) {
    const Histogram counts = PixelValues(look.pixels.image, data.input().bits).with([&](const auto* image) {
      return histogram_of(row, sample, image, data.input(), tile / row_tiles, tile % row_tiles);
    });
    write_tile(evened_out(counts, static_cast<double>(row.change.clip)), plain, channels,
               tables.data() + static_cast<size_t>(tile) * plain.size());
  }
  return tables;
}

}  // namespace penstock::stages
