// Which pieces of its samples a training works on: the crops of an epoch, whose windows are drawn, and the tiles of
// validation, laid side by side. Where the samples have the input's size, each is one piece, the whole of it. A pure
// function of (seed, epoch, sample id, crop number), the same on every rank.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "stages/arithmetic/device_work.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/normaliser.h"
#include "stages/compute/step/input_shape.h"
#include "stages/draws.h"
#include "stages/training/augmentations.h"

namespace penstock::stages {

// Crop `number` of a sample, in one epoch.
struct Crop {
  int sample = 0;
  int number = 0;
};
// All crops of an epoch, by sample and number: as many as the sample says (GridSample::crops), or as its area has.
std::vector<Crop> crops_of(const std::vector<GridSample>& samples, const InputShape& input);

// Every pixel of every sample in just one tile; what a tile shows beyond its sample does not count in figures.
std::vector<BatchRow> tiles_of(const std::vector<GridSample>& samples, const InputShape& input);
// Their samples, and their numbers there: row by row.
std::vector<Crop> numbered_tiles_of(const std::vector<GridSample>& samples, const InputShape& input);

// Element (y, x) of the changed piece is element (source_y, source_x) of the original.
struct Orientation {
  bool flip_x = false, flip_y = false, transpose = false;
};
uint8_t to_byte(const Orientation& orientation);  // device_arithmetic.h

// How pieces are drawn.
struct CropRules {
  Augmentation augmentation;
  int64_t seed = 0;
  double foreground = 0;  // share of crops that are centred on a labelled pixel
};

// A stream of draws for crop `number` of a sample. The first crop's is the sample's own: where samples are not cut, a
// crop is a sample.
Draws crop_draws(int64_t seed, std::string_view purpose, int64_t epoch, const std::string& id, int number);

Orientation draw_orientation(const CropRules& rules, int64_t epoch, const std::string& id, int number,
                             const InputShape& input);

// Where a window of `crop` pixels begins in a line of `size`. Not longer than the window: anywhere so that the line is
// inside. Longer: centred on pixel u, in one of two ways (`u` in [0, 2 size), mirrored from `size` on), so that over
// all u each pixel of the line is shown as often as any other, those at the ends too.
int window_begin(uint64_t u, int size, int crop);
int draw_window(const Draws& draws, uint64_t draw, int size, int crop);

// What a row is made of: the pixels of its sample, and what is measured of them.
struct SampleLook {
  SamplePixels pixels;
  std::pair<double, double> range;  // the bytes of the whole picture that become 0 and 1 (Normaliser::range_of)
  PictureTraits traits;
};

// Samples made ready for the steps of one input. Any thread may call; `samples` must outlive it and stay as it is.
class StepSamples {
 public:
  StepSamples(const std::vector<GridSample>& samples, const InputShape& input, Normaliser normaliser);

  const std::vector<GridSample>& samples() const { return samples_; }
  const InputShape& input() const { return input_; }
  const Normaliser& normaliser() const { return normaliser_; }
  const std::vector<Crop>& crops() const { return crops_; }
  size_t tile_count() const { return tiles_.size(); }
  BatchRow tile(size_t number) const;                   // of tiles_of(samples)
  int64_t tile_pixels() const { return tile_pixels_; }  // of all tiles, those that count

  // Where pixels do not stay in memory, each call asks for them once (sample_cache.h). Throws Error(data) where they
  // cannot be read.
  SampleLook look(int sample) const;
  std::pair<double, double> range_of(int sample) const { return look(sample).range; }

  // A crop of this epoch; `crop` indexes crops(). `look` is at its sample.
  BatchRow drawn(int crop, const CropRules& rules, int64_t epoch, const SampleLook& look) const;
  BatchRow drawn(int crop, const CropRules& rules, int64_t epoch) const;
  int sample_of(int crop) const;

 private:
  BatchRow window_of(const GridSample& sample, const SampleLook& look, const Draws& draws, double foreground) const;
  // Of a sample, measured when it is first looked at.
  struct Measured {
    float darkest = 0, brightest = 0;  // bytes
    bool known = false;
    PictureTraits traits = {};
  };

  const std::vector<GridSample>& samples_;
  const InputShape input_;
  const Normaliser normaliser_;
  std::vector<Crop> crops_, tiles_;
  int64_t tile_pixels_ = 0;
  mutable std::mutex mutex_;
  mutable std::vector<Measured> measured_;  // of each sample
};

// Those that a step has met, each made once.
class KnownSamples {
 public:
  KnownSamples(const InputShape& input, Normaliser normaliser) : input_(input), normaliser_(std::move(normaliser)) {}
  const StepSamples& of(const std::vector<GridSample>& samples);

 private:
  const InputShape input_;
  const Normaliser normaliser_;
  std::map<const void*, StepSamples> known_;
};

}  // namespace penstock::stages
