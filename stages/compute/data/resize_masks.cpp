#include "stages/compute/data/resize_masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "distributed/error.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

constexpr int half_range = 128;

// Most of a mask is background: many pixels at a time.
constexpr size_t block = 64;
bool all_zero(const uint8_t* at) {
  std::array<uint64_t, block / sizeof(uint64_t)> words;
  std::memcpy(words.data(), at, block);
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  return any == 0;
}

// Calls visit(pixel) for every labelled pixel.
template <typename Visit>
void each_labelled(const Image& mask, const Visit& visit) {
  const size_t pixels = static_cast<size_t>(mask.width) * mask.height;
  if (mask.channels == 1) {
    for (size_t begin = 0; begin < pixels; begin += block) {
      const size_t end = std::min(begin + block, pixels);
      if (end - begin == block && all_zero(&mask.bytes[begin])) continue;
      for (size_t i = begin; i < end; ++i)
        if (mask.bytes[i] >= half_range) visit(i);
    }
    return;
  }
  const int colours = mask.channels == 2 ? 1 : 3;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* values = &mask.bytes[i * mask.channels];
    bool labelled = false;
    for (int c = 0; c < colours; ++c) labelled |= values[c] >= half_range;
    if (labelled) visit(i);
  }
}

// Calls visit(pixel) for every 1 of a mask of 0 and 1.
template <typename Visit>
void each_one(const MaskNumbers& mask, const Visit& visit) {
  if (std::any_of(mask.values.begin(), mask.values.end(), [](uint32_t value) { return value > 1; })) return;
  for (size_t i = 0; i < mask.values.size(); ++i) {
    if (mask.values[i] == 1) visit(i);
  }
}

void check_size_of(const std::string& name, int mask_width, int mask_height, int width, int height) {
  if (mask_width == width && mask_height == height) return;
  throw Error(ExitCode::data, fmt::format("{}: the mask is {} x {} pixels, its image {} x {}", name, mask_width,
                                          mask_height, width, height));
}

}  // namespace

MergedMasks merge_masks(const std::vector<MaskFile>& files, int width, int height, const PageChoice& page) {
  MergedMasks merged;
  merged.map = {height, width, std::vector<Label>(static_cast<size_t>(width) * height)};
  std::vector<bool> twice;  // made when needed
  for (const MaskFile& file : files) {
    const Image mask = to_8_bit(decode_image(file.bytes, file.name, page));
    check_size_of(file.name, mask.width, mask.height, width, height);
    const auto number = static_cast<Label>(merged.objects + 1);
    bool any = false, fresh = false;
    const auto claim = [&](size_t pixel) {
      Label& label = merged.map.labels[pixel];
      any = true;
      if (label == 0) {
        label = number;
        fresh = true;
        return;
      }
      if (twice.empty()) twice.resize(merged.map.labels.size());
      merged.overlaps += !twice[pixel];
      twice[pixel] = true;
    };
    each_labelled(mask, claim);
    if (!any) each_one(read_mask(file, page), claim);
    if (fresh)
      ++merged.objects;
    else if (any)
      ++merged.covered_masks;
    else
      ++merged.empty_masks;
  }
  return merged;
}

MaskNumbers read_mask(const MaskFile& file, const PageChoice& page) {
  LabelsImage image = decode_labels_image(file.bytes, file.name, page);
  return {image.width, image.height, image.bits, image.colours, std::move(image.values)};
}

MergedMasks read_masks(const std::vector<MaskFile>& files, int width, int height, const MaskRule& rule,
                       const PageChoice& page) {
  if (rule.meaning == MaskMeaning::objects) return merge_masks(files, width, height, page);
  if (files.size() > 1) {
    throw Error(ExitCode::data, fmt::format("{} and {} are masks of one image, but masks that mean {} are one file an "
                                            "image: set resize.masks = \"objects\", or leave the sample out",
                                            files[0].name, files[1].name, name_of(rule.meaning)));
  }
  MergedMasks merged;
  const MaskNumbers mask = read_mask(files.front(), page);
  check_size_of(files.front().name, mask.width, mask.height, width, height);
  merged.map = objects_in(mask, rule);
  merged.objects = merged.map.objects();
  merged.empty_masks = merged.objects == 0 ? 1 : 0;
  return merged;
}

}  // namespace penstock::stages
