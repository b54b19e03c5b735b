// Connected pieces of a picture's foreground, found while its rows arrive from the top: what is held is what may still
// grow. One thread uses an object.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace penstock::stages {

// Pixels [begin, end) of a row that exceed the threshold.
struct RowRun {
  int begin = 0, end = 0;
  size_t piece = 0;  // for OpenPieces' own use
};

// Foreground that is connected by edges or corners, with the values of its pixels.
struct Piece {
  struct Run {
    int y = 0, begin = 0, length = 0;
    size_t values = 0;  // where its own begin in `values`: [planes, length]
  };
  int left = 0, top = 0, right = 0, bottom = 0;  // the box around it, right and bottom just outside
  size_t pixels = 0;
  std::vector<Run> runs;  // of a complete piece: from the top and the left
  std::vector<float> values;
};

class OpenPieces {
 public:
  // Foreground: where the first of `planes` values exceeds `threshold`.
  OpenPieces(int width, int planes, float threshold) : width_(width), planes_(planes), threshold_(threshold) {}

  // The next row [planes, width]. Returns the pieces that are complete because it does not touch them.
  std::vector<Piece> add_row(std::span<const float> values);
  // After the last row: those that reach it.
  std::vector<Piece> finish();

  size_t open_pixels() const;

 private:
  size_t root_of(size_t piece);
  size_t united(size_t one, size_t other);
  void add_run(Piece& piece, const RowRun& run, std::span<const float> values) const;
  std::vector<Piece> take_untouched();

  int width_, planes_;
  float threshold_;
  int y_ = 0;
  std::vector<Piece> open_;
  std::vector<size_t> parent_;  // of each open piece: itself, or what it was united with in this row
  std::vector<RowRun> above_;
};

}  // namespace penstock::stages
