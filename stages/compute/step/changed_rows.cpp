#include "stages/compute/step/changed_rows.h"

#include <algorithm>

#include "stages/compute/step/row_changes.h"
#include "stages/training/device_sampling.h"

namespace penstock::stages {
namespace {

// Whether the four pixels around each position of a line lie in the sample.
bool inside(const SamplePosition& from, const SamplePosition& to, const SamplePlace& place) {
  const auto within = [](int64_t at, int size) { return at >= 0 && (at >> 16) + 1 < size; };
  return within(from.y, place.height) && within(to.y, place.height) && within(from.x, place.width) &&
         within(to.x, place.width);
}

}  // namespace

ChangedRows::ChangedRows(const StepSamples& data)
    : data_(data),
      input_(data.input()),
      tables_(static_cast<size_t>(input_.channels) * row_table_length),
      bytes_(static_cast<size_t>(input_.channels) * static_cast<size_t>(input_.width)),
      padded_(static_cast<size_t>(input_.width) + 2 * blur_radius) {}

void ChangedRows::begin(const BatchRow& row) {
  const GridSample& sample = data_.samples()[static_cast<size_t>(row.sample)];
  row_ = row;
  place_ = {0, sample.height, sample.width};
  image_ = sample.image.data();
  write_row_tables(row.change.values, data_.normaliser(), data_.range_of(row.sample), input_.channels, tables_.data());
}

// Adds the bytes shown at from, from + step, ...: byte_between() of device_sampling.h.
template <int Channels, bool Inside>
void ChangedRows::add_line(const SamplePosition& from, const SamplePosition& step) {
  const int channels = Channels > 0 ? Channels : input_.channels, width = place_.width;
  const auto columns = static_cast<size_t>(input_.width);
  SamplePosition at = from;
  for (size_t i = 0; i < columns; ++i, at = at + step) {
    const int y = static_cast<int>(at.y >> 16), x = static_cast<int>(at.x >> 16);
    const uint32_t below = static_cast<uint32_t>(at.y >> 8) & 255u, right = static_cast<uint32_t>(at.x >> 8) & 255u;
    const uint32_t both = below * right, w10 = (below << 8) - both, w01 = (right << 8) - both,
                   w00 = 65536u - (below << 8) - w01;
    const uint8_t* line = image_ + static_cast<int64_t>(Inside ? y : mirrored(y, place_.height)) * width * channels;
    const uint8_t* next = Inside ? line + static_cast<int64_t>(width) * channels
                                 : image_ + static_cast<int64_t>(mirrored(y + 1, place_.height)) * width * channels;
    const int64_t column = static_cast<int64_t>(Inside ? x : mirrored(x, width)) * channels,
                  beside = Inside ? column + channels : static_cast<int64_t>(mirrored(x + 1, width)) * channels;
    for (int c = 0; c < channels; ++c) {
      bytes_[static_cast<size_t>(c) * columns + i] +=
          w00 * line[column + c] + w01 * line[beside + c] + w10 * next[column + c] + both * next[beside + c];
    }
  }
}

void ChangedRows::add_line(const SamplePosition& from, const SamplePosition& step) {
  const int64_t steps = input_.width - 1;
  const bool all = inside(from, {from.y + step.y * steps, from.x + step.x * steps}, place_);
  if (input_.channels == 3)
    all ? add_line<3, true>(from, step) : add_line<3, false>(from, step);
  else if (input_.channels == 1)
    all ? add_line<1, true>(from, step) : add_line<1, false>(from, step);
  else
    all ? add_line<0, true>(from, step) : add_line<0, false>(from, step);
}

void ChangedRows::line(int y, float* images, size_t* labels) {
  const RowChange& change = row_.change;
  const auto columns = static_cast<size_t>(input_.width), pixels = columns * static_cast<size_t>(input_.height),
             first = static_cast<size_t>(y) * columns;
  const SamplePosition from = position_of(y, 0, input_.height, input_.width, row_),
                       step = position_of(y, 1, input_.height, input_.width, row_) - from;
  SamplePosition at = from;
  for (size_t i = 0; i < columns; ++i, at = at + step) labels[i] = static_cast<size_t>(nearest_pixel(at, place_));
  std::fill(bytes_.begin(), bytes_.end(), 0u);
  if (change.averages != 0) {
    const SamplePosition down = quarter_down(change.map), right = quarter_right(change.map);
    for (const SamplePosition& place :
         {from - down - right, from - down + right, from + down - right, from + down + right})
      add_line(place, step);
    for (uint32_t& byte : bytes_) byte >>= 2;
  } else {
    add_line(from, step);
  }
  for (size_t c = 0; c < static_cast<size_t>(input_.channels); ++c) {
    const uint32_t* bytes = &bytes_[c * columns];
    const float* table = &tables_[c * row_table_length];
    float* to = images + c * pixels + first;
    for (size_t i = 0; i < columns; ++i) to[i] = value_between(table, bytes[i]);
  }
  if (change.mixes == 0) return;
  float *r = images + first, *g = r + pixels, *b = g + pixels;
  for (size_t i = 0; i < columns; ++i) {
    const float red = r[i], green = g[i], blue = b[i];
    r[i] = mixed(change.mix, red, green, blue);
    g[i] = mixed(change.mix + 4, red, green, blue);
    b[i] = mixed(change.mix + 8, red, green, blue);
  }
}

// Along lines into blurred_, and along columns back: blurred() of device_sampling.h, several values at once.
void ChangedRows::blur(float* plane) {
  const auto columns = static_cast<size_t>(input_.width);
  const float* weights = row_.change.blur;
  blurred_.resize(columns * static_cast<size_t>(input_.height));
  const float* middle = &padded_[blur_radius];
  for (int y = 0; y < input_.height; ++y) {
    const float* line = plane + static_cast<size_t>(y) * columns;
    for (int i = -blur_radius; i < input_.width + blur_radius; ++i)
      padded_[static_cast<size_t>(i + blur_radius)] = line[mirrored(i, input_.width)];
    float* to = &blurred_[static_cast<size_t>(y) * columns];
    for (size_t x = 0; x < columns; ++x) to[x] = weights[0] * middle[x];
    for (int k = 1; k <= blur_radius; ++k) {
      const float *before = middle - k, *after = middle + k;
      for (size_t x = 0; x < columns; ++x) to[x] = to[x] + weights[k] * (before[x] + after[x]);
    }
  }
  for (int y = 0; y < input_.height; ++y) {
    const auto line = [&](int at) { return &blurred_[static_cast<size_t>(mirrored(at, input_.height)) * columns]; };
    float* to = plane + static_cast<size_t>(y) * columns;
    const float* here = line(y);
    for (size_t x = 0; x < columns; ++x) to[x] = weights[0] * here[x];
    for (int k = 1; k <= blur_radius; ++k) {
      const float *above = line(y - k), *below = line(y + k);
      for (size_t x = 0; x < columns; ++x) to[x] = to[x] + weights[k] * (above[x] + below[x]);
    }
  }
}

void ChangedRows::finish(float* images) {
  const RowChange& change = row_.change;
  const auto channels = static_cast<size_t>(input_.channels),
             pixels = static_cast<size_t>(input_.width) * static_cast<size_t>(input_.height);
  for (size_t c = 0; c < channels; ++c) {
    float* plane = images + c * pixels;
    if (change.blurs != 0) blur(plane);
    if (change.noise == 0) continue;
    for (size_t i = 0; i < pixels; ++i)
      plane[i] = plane[i] + change.noise * noise_at(change.noise_key, i * channels + c);
  }
}

}  // namespace penstock::stages
