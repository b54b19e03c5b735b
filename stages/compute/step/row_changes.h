// The random changes of a crop's pixels: what is drawn, and what that comes to for one row of a batch. A pure function
// of (seed, epoch, sample id, crop number): each augmentation has a stream of its own, so that what one draws does not
// depend on which others are chosen. Any thread may call.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "stages/arithmetic/device_work.h"
#include "stages/compute/model/normaliser.h"
#include "stages/draws.h"
#include "stages/training/augmentations.h"

namespace penstock::stages {

// What is drawn. The defaults change nothing.
struct CropChange {
  double zoom = 1;   // 2: objects twice as large
  double angle = 0;  // radians, anticlockwise
  double shear = 0;  // columns to the right a line down
  double bend = 0;   // deviation of the displacements of nodes (RowBend), pixels of the crop
  uint64_t bend_key = 0;
  ValueChange values = {};
  std::array<double, 9> colours = {1, 0, 0, 0, 1, 0, 0, 0, 1};  // 3 x 3, row by row
  // Of what haematoxylin, eosin and the rest absorb: times the gain, and the shift more.
  std::array<double, 3> stain_gain = {1, 1, 1}, stain_shift = {};
  double clip = 0;   // RowChange::clip
  double blur = 0;   // deviation, pixels of the crop
  double noise = 0;  // deviation
  uint64_t noise_key = 0;

  bool operator==(const CropChange&) const = default;
};

// The draw of one augmentation: adds to `change`.
struct ChangeDraw {
  std::string name;  // a row of augmentation_rules() with a strength
  void (*draw)(CropChange& change, const Draws& draws, double strength, const PictureTraits& picture);
};
const std::vector<ChangeDraw>& change_draws();
void add_row(ChangeDraw draw);  // of a user's own program: compute/extensions.h

// `draws_of` gives the crop's stream of draws for a purpose.
CropChange draw_change(const Augmentation& augmentation, const PictureTraits& picture,
                       const std::function<Draws(const std::string& purpose)>& draws_of);

// What is drawn as a device takes it. Mixing and noise are on the scale of the normaliser's values.
RowChange row_change_of(const CropChange& change, const Normaliser& normaliser);

// Tables of values, [channels, row_table_length]: changed, then normalised. `range`: of the sample.
void write_value_tables(const ValueChange& change, const Normaliser& normaliser, const std::pair<double, double>& range,
                        int channels, float* tables);

}  // namespace penstock::stages
