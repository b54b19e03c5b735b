// What the targets of image formats have in common: one input is decoded as a picture, as a sample's picture or as a
// mask, by one choice of its page; the input's last byte, which decoders do not look at, says which.
#pragma once

#include "fuzz/fuzzing.h"
#include "stages/images/image_codec.h"
#include "stages/images/picture.h"

namespace penstock::fuzz {

inline void look_at(const stages::Image& image) {
  stages::check_whole(image);
  require(image.width >= 1 && image.height >= 1, "a picture has pixels");
  require(static_cast<uint64_t>(image.width) <= stages::max_side &&
              static_cast<uint64_t>(image.height) <= stages::max_side && image.values() <= stages::max_values,
          "a picture keeps its limits");
  for (const std::string& note : image.notes) require(distributed::is_utf8(note), "a note is UTF-8");
}

inline void look_at(const stages::LabelsImage& labels) {
  require(labels.values.size() == static_cast<size_t>(labels.width) * static_cast<size_t>(labels.height),
          "a mask has a number for each pixel");
  for (const std::string& note : labels.notes) require(distributed::is_utf8(note), "a note is UTF-8");
}

inline void decode(std::span<const uint8_t> bytes) {
  using How = stages::PageChoice::How;
  constexpr const char* what = "x.picture";
  constexpr How hows[] = {How::only, How::one, How::maximum, How::mean};
  const int selector = bytes.empty() ? 0 : bytes.back();
  const stages::PageChoice page{hows[selector / 4 % 4], 1 + selector / 16 % 3};
  is_refused(ExitCode::data, what, [&] {
    if (selector % 4 == 0) {
      look_at(stages::decode_labels_image(bytes, what, page));
    } else if (selector % 4 == 1) {
      stages::PictureRule rule;
      rule.page = page;
      rule.keeps_bits = selector / 128 != 0;
      const int channels = selector / 64 == 0 ? 1 : 3;
      const stages::Picture picture = stages::read_picture(bytes, what, rule, channels);
      look_at(picture.image);
      require((picture.image.bits == 8 || rule.keeps_bits) && picture.image.channels == channels,
              "a sample's picture is as was asked for");
      picture.record.dump();
    } else {
      look_at(stages::decode_image(bytes, what, page));
    }
  });
}

}  // namespace penstock::fuzz
