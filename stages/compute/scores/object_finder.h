// The objects of a picture whose probabilities arrive row by row: where the foreground's exceeds the threshold, cut by
// a decoder (decoders.h), numbered 1..n in the order of their first pixels, with their holes where those are
// filled, without those of fewer pixels than `minimum_area`. They are those of the whole picture, to the bit, while
// only pieces of foreground that are not complete are held. One thread uses a finder.
//
// A decoder cuts each connected piece of foreground by itself, so a piece is decoded when it is complete. Memory: some
// 700 rows of foreground with their values, 6 bytes for each run of an object, and for a piece that is larger what its
// decoder needs for the box around it.
#pragma once

#include <string>
#include <vector>

#include "stages/compute/scores/decoders.h"
#include "stages/compute/scores/found_objects.h"
#include "stages/compute/scores/open_pieces.h"

namespace penstock::stages {

class ObjectFinder {
 public:
  ObjectFinder(int width, int height, std::vector<std::string> targets, double threshold, const InstanceRules& rules);

  // The next row, from the top: [targets, width].
  void add_row(std::span<const float> values);
  // After the last row.
  FoundObjects finish();

  // Of how many pixels probabilities are held.
  size_t held_pixels() const;

 private:
  struct Crop;

  void decode_ready();
  void decode(const std::vector<Piece>& pieces);
  PixelMaps maps_of(const std::vector<Piece>& pieces, const Crop& crop) const;
  void add_objects(const std::vector<Piece>& pieces, const Crop& crop, std::span<const int32_t> numbers);

  int width_, height_;
  std::vector<std::string> targets_;
  double threshold_;
  InstanceRules rules_;
  OpenPieces open_;
  int rows_ = 0;                // that have arrived
  std::vector<Piece> waiting_;  // complete, but not decoded yet
  FoundObjects found_;
};

// Of maps that are there as a whole.
FoundObjects find_objects(const PixelMaps& maps, double threshold, const InstanceRules& rules);

}  // namespace penstock::stages
