#include "stages/compute/step/changed_rows.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <iterator>

#include "stages/arithmetic/device_sampling.h"
#include "stages/compute/step/row_changes.h"

namespace penstock::stages {
namespace {

constexpr uint32_t whole = 1u << weight_bits;

// What value_at() computes, of all channels: adds to `to`.
template <typename T>
void add_anywhere(const T* image, int channels, const SamplePosition& at, const SamplePlace& place, uint32_t* to) {
  const int y = static_cast<int>(at.y >> 16), x = static_cast<int>(at.x >> 16);
  const uint32_t below = weight_of(at.y), right = weight_of(at.x);
  const T* line = image + static_cast<int64_t>(mirrored(y, place.height)) * place.width * channels;
  const T* next = image + static_cast<int64_t>(mirrored(y + 1, place.height)) * place.width * channels;
  const int64_t column = static_cast<int64_t>(mirrored(x, place.width)) * channels,
                beside = static_cast<int64_t>(mirrored(x + 1, place.width)) * channels;
  for (int c = 0; c < channels; ++c) {
    to[c] += (whole - right) * ((whole - below) * line[column + c] + below * next[column + c]) +
             right * ((whole - below) * line[beside + c] + below * next[beside + c]);
  }
}

// The same where the four pixels lie in the sample: `line` begins with the upper left one, `next` with that below it.
template <int Channels, typename T>
void add_within(const T* line, const T* next, uint32_t right, uint32_t below, uint32_t* to) {
  for (int c = 0; c < Channels; ++c) {
    to[c] += (whole - right) * ((whole - below) * line[c] + below * next[c]) +
             right * ((whole - below) * line[Channels + c] + below * next[Channels + c]);
  }
}

#ifdef __SSE2__
// Both pixels of a line at once: reads 8 bytes of each line, 2 more than they are. `to` has a fourth place.
template <>
void add_within<3, uint8_t>(const uint8_t* line, const uint8_t* next, uint32_t right, uint32_t below, uint32_t* to) {
  const __m128i zero = _mm_setzero_si128();
  const auto pixels = [&](const uint8_t* from, uint32_t weight) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return _mm_mullo_epi16(_mm_unpacklo_epi8(bytes, zero), _mm_set1_epi16(static_cast<int16_t>(weight)));
  };
  const __m128i left = _mm_add_epi16(pixels(line, whole - below), pixels(next, below)),
                pairs = _mm_unpacklo_epi16(left, _mm_srli_si128(left, 6));
  const __m128i sums = _mm_madd_epi16(pairs, _mm_set1_epi32(static_cast<int32_t>((right << 16) | (whole - right))));
  auto* at = reinterpret_cast<__m128i*>(to);
  _mm_storeu_si128(at, _mm_add_epi32(_mm_loadu_si128(at), sums));
}
#endif

// A line's places, one after another.
struct Straight {
  SamplePosition at, step;

  SamplePosition next() {
    const SamplePosition now = at;
    at = at + step;
    return now;
  }
};

struct Bent {
  Straight straight;
  const SamplePosition* bend;

  SamplePosition next() { return straight.next() + *bend++; }
};

// Calls use() with the places from `from` on, `step` apart, and bent where there are bends.
template <typename Use>
void with_places(const SamplePosition& from, const SamplePosition& step, const SamplePosition* bends, const Use& use) {
  const Straight straight{from, step};
  if (bends == nullptr)
    use(straight);
  else
    use(Bent{straight, bends});
}

// Adds the values shown at these places.
template <int Channels, typename T, typename Places>
void add_positions(const T* image, const SamplePlace& place, Places places, size_t columns, size_t stride,
                   uint32_t* to) {
  const int64_t last_line = place.height - 1, last_column = place.width - 2, width = place.width;
  for (size_t i = 0; i < columns; ++i, to += stride) {
    const SamplePosition at = places.next();
    const int64_t y = at.y >> 16, x = at.x >> 16;
    if (y >= 0 && y < last_line && x >= 0 && x < last_column) {
      const T* line = image + (y * width + x) * Channels;
      add_within<Channels, T>(line, line + width * Channels, weight_of(at.x), weight_of(at.y), to);
    } else {
      add_anywhere(image, Channels, at, place, to);
    }
  }
}

}  // namespace

ChangedRows::ChangedRows(const StepSamples& data)
    : data_(data),
      input_(data.input()),
      stride_(input_.channels == 3 ? 4 : static_cast<size_t>(input_.channels)),
      between_(static_cast<size_t>(input_.channels) * row_table_length),
      bytes_(stride_ * static_cast<size_t>(input_.width)),
      bends_(static_cast<size_t>(input_.width)),
      nodes_(static_cast<size_t>(std::max(input_.width, input_.height) / bend_cell + 4)),
      padded_(static_cast<size_t>(input_.width) + 2 * blur_radius) {}

void ChangedRows::begin(const BatchRow& row, const SampleLook& look) {
  const GridSample& sample = data_.samples()[static_cast<size_t>(row.sample)];
  row_ = row;
  place_ = {0, sample.height, sample.width};
  image_ = {look.pixels.image, input_.bits};
  tables_ = tables_of(row, data_, look);
  if (row.change.clip != 0) return;
  for (size_t i = 0; i + 1 < between_.size(); ++i) between_[i] = {tables_[i], tables_[i + 1] - tables_[i]};
}

// bend_at() of device_sampling.h for a line's pixels: the nodes are added across the line once, and along it for each.
void ChangedRows::bend(int y) {
  const auto orientation = static_cast<uint8_t>(row_.orientation);
  const bool transposed = (orientation & transpose_bit) != 0;
  const auto along = [&](const PixelPlace& at) { return transposed ? at.y : at.x; };
  const PixelPlace first = turned(y, 0, input_.height, input_.width, orientation);
  const int across = transposed ? first.x : first.y;
  for (size_t j = 0; j < nodes_.size(); ++j) {
    const int beside = across / bend_cell, number = static_cast<int>(j);
    nodes_[j] = {};
    for (int i = 0; i < 4; ++i) {
      const SamplePosition node = transposed ? bend_of_node(row_.change.bend, number, beside + i)
                                             : bend_of_node(row_.change.bend, beside + i, number);
      const int64_t weight = bend_weight(i, across % bend_cell);
      nodes_[j] = nodes_[j] + SamplePosition{weight * node.y, weight * node.x};
    }
  }
  for (int x = 0; x < input_.width; ++x) {
    const int at = along(turned(y, x, input_.height, input_.width, orientation));
    SamplePosition sum;
    for (int j = 0; j < 4; ++j) {
      const SamplePosition& node = nodes_[static_cast<size_t>(at / bend_cell + j)];
      const int64_t weight = bend_weight(j, at % bend_cell);
      sum = sum + SamplePosition{weight * node.y, weight * node.x};
    }
    bends_[static_cast<size_t>(x)] = bent_by(sum, row_.change.map);
  }
}

template <typename T>
void ChangedRows::add_line_of(const T* image, const Line& line) {
  const auto columns = static_cast<size_t>(input_.width);
  with_places(line.from, line.step, line.bends, [&](auto places) {
    if (input_.channels == 3) return add_positions<3>(image, place_, places, columns, stride_, bytes_.data());
    if (input_.channels == 1) return add_positions<1>(image, place_, places, columns, stride_, bytes_.data());
    for (size_t i = 0; i < columns; ++i)
      add_anywhere(image, input_.channels, places.next(), place_, &bytes_[i * stride_]);
  });
}

void ChangedRows::add_line(const Line& line) {
  image_.with([&](const auto* image) { add_line_of(image, line); });
}

void ChangedRows::write_labels(const Line& line, size_t* labels) const {
  with_places(line.from, line.step, line.bends, [&](auto places) {
    for (int i = 0; i < input_.width; ++i) labels[i] = static_cast<size_t>(nearest_pixel(places.next(), place_));
  });
}

void ChangedRows::write_tiles(const Line& line) {
  tiles_.resize(static_cast<size_t>(input_.width));
  with_places(line.from, line.step, line.bends, [&](auto places) {
    for (TilePlace& tile : tiles_) tile = tile_at(places.next(), input_.height, input_.width, row_);
  });
}

// A line's values, from its bytes.
void ChangedRows::write_values(float* to, size_t pixels) const {
  const auto columns = static_cast<size_t>(input_.width);
  for (size_t c = 0; c < static_cast<size_t>(input_.channels); ++c) {
    const uint32_t* byte = bytes_.data() + c;
    float* plane = to + c * pixels;
    if (row_.change.clip != 0) {
      for (size_t i = 0; i < columns; ++i, byte += stride_)
        plane[i] = value_among(tables_.data(), input_.channels, static_cast<int>(c), tiles_[i], *byte);
      continue;
    }
    const Between* between = between_.data() + c * row_table_length;
    for (size_t i = 0; i < columns; ++i, byte += stride_) {
      const Between& values = between[*byte >> byte_fraction_bits];
      plane[i] = value_between(values.low, values.difference, *byte);
    }
  }
  if (row_.change.mixes == 0) return;
  float *r = to, *g = r + pixels, *b = g + pixels;
  const auto change = [&](const float(&of)[12], auto how) {
    float mix[12];
    std::copy(std::begin(of), std::end(of), mix);
    for (size_t i = 0; i < columns; ++i) {
      const Colour colour = how(mix, {r[i], g[i], b[i]});
      r[i] = colour.red, g[i] = colour.green, b[i] = colour.blue;
    }
  };
  if (row_.change.stains != 0)
    change(row_.change.stain, [](const float* mix, const Colour& from) { return seen_through(mix, from); });
  change(row_.change.mix, [](const float* mix, const Colour& from) { return mixed_colour(mix, from); });
}

void ChangedRows::line(int y, float* images, size_t* labels) {
  const RowMap& map = row_.change.map;
  const auto columns = static_cast<size_t>(input_.width);
  const SamplePosition from = straight_position_of(y, 0, input_.height, input_.width, row_),
                       step = straight_position_of(y, 1, input_.height, input_.width, row_) - from;
  const bool bent = row_.change.bend.unit != 0;
  if (bent) bend(y);
  const SamplePosition* bends = bent ? bends_.data() : nullptr;
  write_labels({from, step, bends}, labels);
  if (row_.change.clip != 0) write_tiles({from, step, bends});
  std::fill(bytes_.begin(), bytes_.end(), 0u);
  if (row_.change.averages != 0) {
    const SamplePosition down = quarter_down(map), right = quarter_right(map);
    for (const SamplePosition& place :
         {from - down - right, from - down + right, from + down - right, from + down + right})
      add_line({place, step, bends});
    for (uint32_t& byte : bytes_) byte >>= 2;
  } else {
    add_line({from, step, bends});
  }
  if (image_.bits == 16) {
    for (uint32_t& byte : bytes_) byte = bytes_in(byte, uint16_t{});
  }
  write_values(images + static_cast<size_t>(y) * columns, columns * static_cast<size_t>(input_.height));
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

void ChangedRows::add_noise(float* images) const {
  const float deviation = row_.change.noise;
  const uint64_t key = row_.change.noise_key;
  const auto channels = static_cast<size_t>(input_.channels),
             groups = static_cast<size_t>(noise_groups(input_.channels)),
             pixels = static_cast<size_t>(input_.width) * static_cast<size_t>(input_.height);
  for (size_t first = 0; first < channels; first += 3) {
    const size_t last = std::min(channels, first + 3);
    for (size_t i = 0; i < pixels; ++i) {
      uint64_t bits = noise_bits(key, i * groups + first / 3);
      for (size_t c = first; c < last; ++c, bits >>= 20) {
        float& value = images[c * pixels + i];
        value = value + deviation * noise_of(bits);
      }
    }
  }
}

void ChangedRows::finish(float* images) {
  const size_t pixels = static_cast<size_t>(input_.width) * static_cast<size_t>(input_.height);
  if (row_.change.blurs != 0) {
    for (size_t c = 0; c < static_cast<size_t>(input_.channels); ++c) blur(images + c * pixels);
  }
  if (row_.change.noise != 0) add_noise(images);
}

}  // namespace penstock::stages
