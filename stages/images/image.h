// An image in memory, and the conversions that the samples' rules are made of. Plain values: any thread may use its
// own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

// What the numbers 0 and the largest (255 or 65535) of an image stand for, linear between them, where a file holds
// something else than whole numbers of 8 or 16 bits: fractions, negative or larger numbers.
struct ValueRange {
  double low = 0, high = 0;
};

// Rows from the top, channels interleaved: [height, width, channels], 8 or 16 bits (native byte order) a value.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;  // 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; 5 and more, and any where `measured`: signals
  int bits = 8;      // 8 or 16
  std::vector<uint8_t> bytes;
  bool measured = false;                 // the channels are signals of their own (fluorescence): no colours, no alpha
  std::optional<ValueRange> range = {};  // of the file's values, where they were mapped to these bits
  std::vector<std::string> notes =
      {};  // what was bent, filled or left out to read the file: "12 values are not numbers"

  size_t values() const { return static_cast<size_t>(width) * height * channels; }
  // Channels without alpha.
  int colours() const { return measured ? channels : channels == 2 ? 1 : channels == 4 ? 3 : channels; }
};

// 8-bit: 16-bit values are scaled by value / 257, rounded to nearest. The stated rule of samples.
Image to_8_bit(Image image);
// Of an image of 1 to 4 channels, 1 or 3 channels, alpha dropped: grey is repeated for 3; for 1, luma = (299 R + 587 G
// + 114 B + 500) / 1000.
Image to_channels(const Image& image, int channels);
// 1 or 3 channels for people's eyes, of an 8-bit image of any: alpha is dropped, two signals are shown in red and
// green, of more than three the first three.
Image to_shown(const Image& image);

// The picture of a sample, whose two or more than three channels are signals. `bytes`: [height, width, channels].
Image sample_picture(int width, int height, int channels, std::vector<uint8_t> bytes, int bits = 8);

// Of an 8-bit image, so that no side is longer than `longest`: blocks of the smallest whole number of pixels a side
// that does, averaged, those at the right and lower edges over what is there. The image itself where it is small
// enough.
Image reduced(const Image& image, int longest);

// How large an image may be before it is refused as damaged or hostile.
inline constexpr uint32_t max_side = 65535;
inline constexpr uint64_t max_values = uint64_t{1} << 31;
inline constexpr int max_channels = 64;

// Throws Error(data) with `what` and the size when a side is 0 or over max_side, or the image has over max_values
// values.
void check_size(int64_t width, int64_t height, int channels, std::string_view what);

// A check (exit code 70): 1 to max_channels channels, 8 or 16 bits, and as many bytes as these say.
void check_whole(const Image& image);

}  // namespace penstock::stages
