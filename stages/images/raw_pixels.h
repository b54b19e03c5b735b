// Pixels as scientific files hold them (signed and unsigned integers of up to 64 bits, floats), and how they become an
// Image or a LabelsImage. Plain values: any thread may use its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stages/images/image.h"
#include "stages/images/labels_image.h"

namespace penstock::stages {

enum class ValueKind { whole, signed_whole, real };

// Rows from the top, channels interleaved: [height, width, channels].
struct RawPixels {
  int width = 0;
  int height = 0;
  int channels = 0;  // as Image counts them
  ValueKind kind = ValueKind::whole;
  int bits = 8;           // of a value in `bytes`: 8, 16, 32 or 64 (real: 32 or 64)
  int depth = 8;          // of a value in the file: 12 of 16
  bool measured = false;  // as Image has it
  bool palette = false;   // values are indices into the file's palette
  std::vector<uint8_t> bytes;
  std::vector<std::string> notes = {};

  size_t values() const { return static_cast<size_t>(width) * height * channels; }
};

// How pages of a stack are laid on one another. All of one size, kind and number of channels.
enum class Projection { maximum, mean };

// Adds pages one by one, so that two are in memory, never the stack. A value that is not a number counts for nothing
// where another page has one. The mean of integers is rounded to the nearest.
class Projector {
 public:
  explicit Projector(Projection projection) : projection_(projection) {}
  void add(RawPixels page, std::string_view what);  // Error(data) when it does not fit those before
  RawPixels finish();

 private:
  Projection projection_;
  RawPixels first_;
  std::vector<double> values_;
  std::vector<uint32_t> counts_;
};

// The stated rule by which values become 8 or 16 bits:
// - fewer than 8 bits are scaled to 0..255; 8 and 16 bits stay as they are, and so do larger or signed integers that
//   all lie in 0..65535;
// - other integers that span at most 65536 values are moved (16 bits signed: by 32768, 8 bits signed: by 128), no value
//   is lost, and `range` says where they came from;
// - other integers and floats are mapped linearly from their smallest and largest finite value to 0..65535 (`range`).
//   Where 0.1 % and 99.9 % of the values lie within 1/64 of that, as with a hot pixel, the range is these two limits,
//   widened by their distance on both sides, and what lies outside is clipped;
// - NaN becomes the lowest value, infinities the lowest and the highest, and a note says how many.
// Error(data) with `what` when no value is finite.
Image to_image(RawPixels raw, std::string_view what);

// The numbers as they are: integers of any size and floats without a fraction, 0 to 2^32 - 1; Error(data) names `what`
// and the number that is no id. Several channels: as labels_from.
LabelsImage to_labels(RawPixels raw, std::string_view what);

}  // namespace penstock::stages
