// How a picture of any size goes through a network of a fixed input size: in tiles that overlap, whose results are
// blended with weights that fall towards a tile's edges. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace penstock::stages {

// Where tiles of `tile` pixels begin along a side of `size` pixels: evenly spaced, at least `overlap` (share of a tile,
// 0 to below 1) in common with the next, the first and last flush with the picture's edges. A side that is not longer
// than a tile has one, centred: its origin is then 0 or negative, and the picture is mirrored beyond its edges.
std::vector<int> tile_origins(int size, int tile, double overlap);

// The side of the tiles of a side of `size` pixels: as many as tiles of `most` pixels would be, each as small as covers
// them, so that little is worked on twice. A multiple of `unit`, at most `most` but at least one unit.
int fitted_tile(int size, int most, int unit, double overlap);

// The weights of a tile's pixels along one side: a triangle, from 1 / tile at the edges to 1 in the middle.
std::vector<float> tile_weights(int tile);

// Runs each tile, from left to right and top to bottom, and blends their values.
//   evaluate(x, y)  the values of the tile whose upper left pixel is (x, y): [planes, tile_height, tile_width]
//   row(y, values)  is called once for each row of the picture, in order, with its blended values: [planes, width]
// Memory: one tile's height of rows, whatever the picture's height. The order of all sums is fixed.
struct TiledPicture {
  int width = 0, height = 0;  // of the picture
  int tile_width = 0, tile_height = 0;
  double overlap = 0;
  int planes = 1;  // values of each pixel
};
void blend_tiles(const TiledPicture& picture, const std::function<std::vector<float>(int x, int y)>& evaluate,
                 const std::function<void(int y, std::span<const float> values)>& row);

}  // namespace penstock::stages
