#include "stages/images/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {

Image to_8_bit(Image image) {
  check_whole(image);
  if (image.bits == 8) return image;
  image.bytes = whole_bytes(image);
  image.bits = 8;
  return image;
}

namespace {

template <typename T>
void write_channels(const Image& image, const T* in, Image& result) {
  const bool grey = image.colours() == 1;
  auto* out = reinterpret_cast<T*>(result.bytes.data());
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i, in += image.channels, out += result.channels) {
    if (result.channels == 3) {
      for (int c = 0; c < 3; ++c) out[c] = in[grey ? 0 : c];
    } else {
      out[0] = grey ? in[0] : static_cast<T>((299 * in[0] + 587 * in[1] + 114 * in[2] + 500) / 1000);
    }
  }
}

}  // namespace

Image to_channels(const Image& image, int channels) {
  check_whole(image);
  PENSTOCK_CHECK(image.colours() <= 3 && (channels == 1 || channels == 3),
                 fmt::format("grey or colour becomes 1 or 3 channels, not {} channels {}", image.channels, channels));
  Image result{image.width, image.height, channels, image.bits, {}};
  if (image.channels == channels) return image;
  result.bytes.resize(result.values() * static_cast<size_t>(image.bits / 8));
  PixelValues(image).with([&](const auto* in) { write_channels(image, in, result); });
  return result;
}

Image reduced(const Image& image, int longest) {
  check_whole(image);
  PENSTOCK_CHECK(image.bits == 8 && longest > 0, "an 8-bit image is reduced, to a side of at least one pixel");
  const int block = (std::max(image.width, image.height) + longest - 1) / longest;
  if (block == 1) return image;
  Image small{
      (image.width + block - 1) / block, (image.height + block - 1) / block, image.channels, 8, {}, image.measured};
  small.bytes.reserve(small.values());
  for (int y = 0; y < small.height; ++y) {
    const int y_end = std::min((y + 1) * block, image.height);
    for (int x = 0; x < small.width; ++x) {
      const int x_end = std::min((x + 1) * block, image.width);
      const int64_t pixels = int64_t{y_end - y * block} * (x_end - x * block);
      for (int c = 0; c < image.channels; ++c) {
        int64_t sum = 0;
        for (int from_y = y * block; from_y < y_end; ++from_y) {
          for (int from_x = x * block; from_x < x_end; ++from_x)
            sum += image.bytes[(static_cast<size_t>(from_y) * image.width + from_x) * image.channels + c];
        }
        small.bytes.push_back(static_cast<uint8_t>((sum + pixels / 2) / pixels));
      }
    }
  }
  return small;
}

Image to_shown(const Image& image) {
  check_whole(image);
  PENSTOCK_CHECK(image.bits == 8, "what is shown has 8 bits");
  const int colours = image.colours();
  if (colours == 1) return to_channels(image, 1);
  if (colours == 3 && image.channels <= 4) return to_channels(image, 3);
  Image result{image.width, image.height, 3, 8, {}};
  result.bytes.resize(result.values());
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  for (size_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < 3; ++c)
      result.bytes[i * 3 + c] = c < colours ? image.bytes[i * image.channels + c] : uint8_t{0};
  }
  return result;
}

Image sample_picture(int width, int height, int channels, std::vector<uint8_t> bytes, int bits) {
  return {width, height, channels, bits, std::move(bytes), channels == 2 || channels > 3};
}

void check_size(int64_t width, int64_t height, int channels, std::string_view what) {
  if (width < 1 || height < 1 || width > max_side || height > max_side ||
      static_cast<uint64_t>(width) * static_cast<uint64_t>(height) * static_cast<uint64_t>(channels) > max_values) {
    throw Error(ExitCode::data,
                fmt::format("{}: an image of {} x {} pixels with {} channels is refused (1 to {} a side, {} values)",
                            what, width, height, channels, max_side, max_values));
  }
}

void check_whole(const Image& image) {
  PENSTOCK_CHECK(image.width > 0 && image.height > 0 && image.channels >= 1 && image.channels <= max_channels &&
                     (image.bits == 8 || image.bits == 16) && image.bytes.size() == image.values() * (image.bits / 8),
                 fmt::format("an image's bytes fill its size: {} x {} pixels, {} channels of {} bits, {} bytes",
                             image.width, image.height, image.channels, image.bits, image.bytes.size()));
}

}  // namespace penstock::stages
