#include "stages/compute/step/step_samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"
#include "stages/compute/step/row_changes.h"
#include "stages/images/appearance.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

void check_sample(const GridSample& sample, const SamplePixels& own, const InputShape& input) {
  const size_t pixels = static_cast<size_t>(sample.height) * static_cast<size_t>(sample.width);
  PENSTOCK_CHECK(sample.height > 0 && sample.width > 0 &&
                     own.image.size() == pixels * static_cast<size_t>(input.channels * input.bits / 8) &&
                     own.mask.size() == pixels,
                 fmt::format("sample '{}' has an image and a mask of {} x {} x {}, not {} and {} bytes", sample.id,
                             sample.height, sample.width, input.channels, own.image.size(), own.mask.size()));
}

// Labelled pixels above each row, and in all.
std::vector<int64_t> labelled_above(const GridSample& sample, std::span<const uint8_t> mask) {
  std::vector<int64_t> above = {0};
  for (int y = 0; y < sample.height; ++y) {
    const auto row = mask.begin() + static_cast<ptrdiff_t>(y) * sample.width;
    above.push_back(above.back() + (sample.width - std::count(row, row + sample.width, uint8_t{0})));
  }
  return above;
}

bool median_above_middle(const PixelValues& image, const std::pair<double, double>& range) {
  const std::vector<size_t> counts = counts_of(image);
  size_t above = 0;
  for (size_t value = 0; value < counts.size(); ++value)
    above += 2 * in_bytes(value, image.bits) > range.first + range.second ? counts[value] : 0;
  return 2 * above > image.size();
}

// Purposes of the draws of a window, in the order of their streams.
constexpr uint64_t vertical = 0, horizontal = 1, around_object = 2, which_pixel = 3, vertical_side = 4,
                   horizontal_side = 5;

}  // namespace

std::vector<Crop> crops_of(const std::vector<GridSample>& samples, const InputShape& input) {
  std::vector<Crop> crops;
  for (size_t i = 0; i < samples.size(); ++i) {
    const GridSample& sample = samples[i];
    const int64_t count =
        sample.crops > 0 ? sample.crops : crops_of_sample(sample.height, sample.width, input.height, input.width);
    for (int64_t number = 0; number < count; ++number) crops.push_back({static_cast<int>(i), static_cast<int>(number)});
  }
  return crops;
}

namespace {

int tiles_along(int size, int tile) { return (size + tile - 1) / tile; }

BatchRow tile_of(const GridSample& sample, const Crop& tile, const InputShape& input) {
  const int columns = tiles_along(sample.width, input.width);
  const int top = tile.number / columns * input.height, left = tile.number % columns * input.width;
  return {static_cast<int32_t>(tile.sample),          top, left, std::min(input.height, sample.height - top),
          std::min(input.width, sample.width - left), 0};
}

}  // namespace

std::vector<Crop> numbered_tiles_of(const std::vector<GridSample>& samples, const InputShape& input) {
  std::vector<Crop> tiles;
  for (size_t i = 0; i < samples.size(); ++i) {
    const int count = tiles_along(samples[i].height, input.height) * tiles_along(samples[i].width, input.width);
    for (int number = 0; number < count; ++number) tiles.push_back({static_cast<int>(i), number});
  }
  return tiles;
}

std::vector<BatchRow> tiles_of(const std::vector<GridSample>& samples, const InputShape& input) {
  std::vector<BatchRow> rows;
  for (const Crop& tile : numbered_tiles_of(samples, input))
    rows.push_back(tile_of(samples[static_cast<size_t>(tile.sample)], tile, input));
  return rows;
}

uint8_t to_byte(const Orientation& o) {
  return static_cast<uint8_t>((o.flip_x ? flip_x_bit : 0) | (o.flip_y ? flip_y_bit : 0) |
                              (o.transpose ? transpose_bit : 0));
}

Draws crop_draws(int64_t seed, std::string_view purpose, int64_t epoch, const std::string& id, int number) {
  return number == 0 ? Draws(seed, purpose, {epoch}, id) : Draws(seed, purpose, {epoch, number}, id);
}

Orientation draw_orientation(const CropRules& rules, int64_t epoch, const std::string& id, int number,
                             const InputShape& input) {
  const Draws draws = crop_draws(rules.seed, "augment", epoch, id, number);
  Orientation orientation;
  if (rules.augmentation.flip) {
    orientation.flip_x = draws.bits(0) & 1;
    orientation.flip_y = draws.bits(1) & 1;
  }
  if (rules.augmentation.rotate && input.height == input.width) {
    // A quarter turn is a transposition and a flip; a half turn is both flips.
    const uint64_t quarters = draws.below(2, 4);
    orientation.transpose = quarters & 1;
    orientation.flip_x ^= quarters == 1 || quarters == 2;
    orientation.flip_y ^= quarters == 2 || quarters == 3;
  }
  return orientation;
}

int window_begin(uint64_t u, int size, int crop) {
  PENSTOCK_CHECK(size > crop && u < 2 * static_cast<uint64_t>(size), "a window is centred on a pixel of a longer line");
  const int half = crop / 2;
  // From `size` on the window of pixel 2 size - 1 - u, seen in a mirror.
  return u < static_cast<uint64_t>(size) ? static_cast<int>(u) - half : 2 * size - crop - (static_cast<int>(u) - half);
}

int draw_window(const Draws& draws, uint64_t draw, int size, int crop) {
  if (size <= crop) return -static_cast<int>(draws.below(draw, static_cast<uint64_t>(crop - size + 1)));
  return window_begin(draws.below(draw, 2 * static_cast<uint64_t>(size)), size, crop);
}

StepSamples::StepSamples(const std::vector<GridSample>& samples, const InputShape& input, Normaliser normaliser)
    : samples_(samples),
      input_(input),
      normaliser_(std::move(normaliser)),
      crops_(crops_of(samples, input)),
      tiles_(numbered_tiles_of(samples, input)),
      measured_(samples.size()) {
  for (size_t i = 0; i < samples.size(); ++i) {
    tile_pixels_ += int64_t{samples[i].height} * samples[i].width;  // each lies in one tile
    if (samples[i].source == nullptr) look(static_cast<int>(i));
  }
}

BatchRow StepSamples::tile(size_t number) const {
  const Crop& tile = tiles_.at(number);
  return tile_of(samples_[static_cast<size_t>(tile.sample)], tile, input_);
}

SampleLook StepSamples::look(int number) const {
  const auto place = static_cast<size_t>(number);
  const GridSample& sample = samples_.at(place);
  SampleLook look;
  look.pixels = sample.pixels();
  Measured measured;
  {
    const std::lock_guard lock(mutex_);
    measured = measured_[place];
  }
  if (!measured.known) {
    check_sample(sample, look.pixels, input_);
    const PixelValues image(look.pixels.image, input_.bits);
    const auto [darkest, brightest] = normaliser_.range_of(image);
    measured = {static_cast<float>(darkest),
                static_cast<float>(brightest),
                true,
                {median_above_middle(image, {darkest, brightest}),
                 input_.channels == 3 && colourfulness_of(image) > stained_colourfulness}};
    const std::lock_guard lock(mutex_);
    measured_[place] = measured;
  }
  look.range = {measured.darkest, measured.brightest};
  look.traits = measured.traits;
  return look;
}

int StepSamples::sample_of(int crop) const {
  PENSTOCK_CHECK(crop >= 0 && static_cast<size_t>(crop) < crops_.size(), "an epoch's order names crops of the epoch");
  return crops_[static_cast<size_t>(crop)].sample;
}

BatchRow StepSamples::drawn(int crop, const CropRules& rules, int64_t epoch) const {
  return drawn(crop, rules, epoch, look(sample_of(crop)));
}

BatchRow StepSamples::drawn(int crop, const CropRules& rules, int64_t epoch, const SampleLook& look) const {
  const int number_of_sample = sample_of(crop), number = crops_[static_cast<size_t>(crop)].number;
  const GridSample& sample = samples_[static_cast<size_t>(number_of_sample)];
  BatchRow row;
  if (sample.height != input_.height || sample.width != input_.width)
    row = window_of(sample, look, crop_draws(rules.seed, "crop", epoch, sample.id, number), rules.foreground);
  row.sample = number_of_sample;
  row.height = input_.height, row.width = input_.width;  // all of it counts
  row.orientation = to_byte(draw_orientation(rules, epoch, sample.id, number, input_));
  if (rules.augmentation.others.empty()) return row;
  const auto draws_of = [&](const std::string& purpose) {
    return crop_draws(rules.seed, purpose, epoch, sample.id, number);
  };
  row.change = row_change_of(draw_change(rules.augmentation, look.traits, draws_of), normaliser_);
  return row;
}

// `foreground`: share of the windows that are centred on a labelled pixel, where there is one.
BatchRow StepSamples::window_of(const GridSample& sample, const SampleLook& look, const Draws& draws,
                                double foreground) const {
  BatchRow row;
  row.top = draw_window(draws, vertical, sample.height, input_.height);
  row.left = draw_window(draws, horizontal, sample.width, input_.width);
  if (foreground == 0 || draws.uniform(around_object) >= foreground) return row;
  const std::span<const uint8_t> mask = look.pixels.mask;
  const std::vector<int64_t> above = labelled_above(sample, mask);
  if (above.back() == 0) return row;
  auto wanted = static_cast<int64_t>(draws.below(which_pixel, static_cast<uint64_t>(above.back())));
  const auto y = static_cast<int>(std::upper_bound(above.begin(), above.end(), wanted) - above.begin()) - 1;
  wanted -= above[static_cast<size_t>(y)];
  const uint8_t* line = &mask[static_cast<size_t>(y) * static_cast<size_t>(sample.width)];
  int x = 0;
  while (line[x] == 0 || wanted-- > 0) ++x;
  const auto begin = [&draws](uint64_t draw, uint64_t side, int pixel, int size, int crop) {
    if (size <= crop) return draw_window(draws, draw, size, crop);
    return window_begin(static_cast<uint64_t>(draws.bits(side) & 1 ? 2 * size - 1 - pixel : pixel), size, crop);
  };
  row.top = begin(vertical, vertical_side, y, sample.height, input_.height);
  row.left = begin(horizontal, horizontal_side, x, sample.width, input_.width);
  return row;
}

const StepSamples& KnownSamples::of(const std::vector<GridSample>& samples) {
  auto found = known_.find(&samples);
  if (found == known_.end()) found = known_.try_emplace(&samples, samples, input_, normaliser_).first;
  return found->second;
}

}  // namespace penstock::stages
