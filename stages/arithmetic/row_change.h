// What augmentation does to one row of a batch, beside its window and orientation (device_work.h): plain numbers, drawn
// on the host (compute/step/row_changes.h), the same text for host and device. The arithmetic is in device_sampling.h.
#pragma once

#include <cstdint>

namespace penstock::stages {

// Rows that a blur takes in at each side of a pixel.
inline constexpr int blur_radius = 4;

// Tiles a side of a row whose contrast is evened out tile by tile.
inline constexpr int row_tiles = 4;

// The table of a changed row: what each byte becomes, and once more the last, so that a byte between two has both.
inline constexpr int row_table_length = 257;

// Geometry: a linear map about the window's centre, in 1/65536 of a sample's pixel for half a pixel of the row. This
// is the identity.
struct RowMap {
  int32_t y_of_y = 32768, y_of_x = 0, x_of_y = 0, x_of_x = 32768;
};

// Displacements of a row's pixels before that map: a smooth field, a cubic B-spline through whose nodes, bend_cell
// pixels apart, noise is drawn (Ronneberger et al. 2015, arXiv:1505.04597, deform a grid of nodes likewise).
inline constexpr int bend_cell = 32;
struct RowBend {
  int32_t unit = 0;  // of the nodes' noise, in 1/65536 of a row's pixel; 0: none
  uint64_t key = 0;
};

// Of values, in this order; 0 and 1 are the picture's limits. The host makes the row's tables of it.
struct ValueChange {
  double gamma = 1;     // exponent
  int32_t inverts = 0;  // 1: v becomes 1 - v
  double gain = 1, offset = 0;
  int32_t densities = 0;  // 1: v becomes its optical density, -ln v; v is 1/255 at least

  bool operator==(const ValueChange&) const = default;
};

struct RowChange {
  int32_t active = 0;    // 0: none of the following is read
  int32_t averages = 0;  // 1: a pixel is the mean of 2 x 2 places in it, for a row that shrinks its sample
  RowMap map = {};
  RowBend bend = {};
  ValueChange values = {};
  // Above 0: each tile has tables of its own, from a histogram whose counts are clipped at so many times their mean
  // (compute/step/row_tables.h). A value lies between those of the four tiles around it.
  float clip = 0;
  // Of 3 channels whose tables give densities: these are mixed as `mix` mixes, and value e^-d is seen through each.
  int32_t stains = 0;
  float stain[12] = {};
  // Of 3 channels: channel c becomes mix[4 c] a + mix[4 c + 1] b + mix[4 c + 2] c + mix[4 c + 3].
  int32_t mixes = 0;
  float mix[12] = {};
  int32_t blurs = 0;
  float blur[blur_radius + 1] = {};  // weights of a pixel, and of those at distance 1, 2, ...
  float noise = 0;                   // deviation
  uint64_t noise_key = 0;
};

}  // namespace penstock::stages
