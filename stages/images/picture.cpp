#include "stages/images/picture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "distributed/check.h"
#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/whole_number.h"
#include "stages/images/contrast.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// The same names in a configuration and in "input".
constexpr std::pair<const char*, PageChoice::How> page_words[] = {
    {"only", PageChoice::How::only}, {"max", PageChoice::How::maximum}, {"mean", PageChoice::How::mean}};

template <typename T>
void copy_channels(const Image& image, const std::vector<int64_t>& from, Image& to) {
  const auto* in = reinterpret_cast<const T*>(image.bytes.data());
  auto* out = reinterpret_cast<T*>(to.bytes.data());
  const size_t pixels = static_cast<size_t>(image.width) * image.height, count = from.size();
  if (image.channels == 4 && from == std::vector<int64_t>{1, 2, 3}) {  // most colour pictures: known numbers are faster
    for (size_t i = 0; i < pixels; ++i)
      for (size_t c = 0; c < 3; ++c) out[i * 3 + c] = in[i * 4 + c];
    return;
  }
  for (size_t i = 0; i < pixels; ++i)
    for (size_t c = 0; c < count; ++c) out[i * count + c] = in[i * static_cast<size_t>(image.channels) + from[c] - 1];
}

// Channels `from` (from 1) of an image, in that order.
Image with_channels(const Image& image, const std::vector<int64_t>& from) {
  Image result{image.width, image.height, static_cast<int>(from.size()), image.bits, {}, true, image.range};
  // All of a colour picture are still colours.
  if (from.size() == 1 || (from == std::vector<int64_t>{1, 2, 3} && !image.measured)) result.measured = false;
  result.bytes.resize(result.values() * (image.bits / 8));
  image.bits == 8 ? copy_channels<uint8_t>(image, from, result) : copy_channels<uint16_t>(image, from, result);
  return result;
}

void check_channels(const Image& image, std::string_view what, const PictureRule& rule, int channels) {
  const int has = image.colours();
  for (const int64_t channel : rule.channels_from) {
    if (channel < 1 || channel > has) {
      throw Error(ExitCode::data, fmt::format("{}: has {}, and resize.channels_from asks for channel {}", what,
                                              pipeline::counted(has, "channel"), channel));
    }
  }
  if (!rule.channels_from.empty() || has == channels || (has == 1 && channels == 3)) return;
  if (has == 3 && channels == 1 && !image.measured) return;
  throw Error(ExitCode::data,
              fmt::format("{}: has {}{}, and samples have {}; choose with resize.channels_from, for example "
                          "channels_from = [1] for the first of them, and resize.channels",
                          what, pipeline::counted(has, "channel"),
                          image.measured && has == 3 ? " that are no colours" : "", channels));
}

// The channels that are wanted, without alpha, at the file's depth.
Image chosen(Image image, const PictureRule& rule) {
  if (!rule.channels_from.empty()) return with_channels(image, rule.channels_from);
  if (image.colours() == image.channels) return image;
  std::vector<int64_t> all;
  for (int c = 1; c <= image.colours(); ++c) all.push_back(c);
  return with_channels(image, all);
}

// What the numbers of an image stand for.
struct ValuesOf {
  int bits;
  std::optional<ValueRange> range;
};

// In the file's values.
Value limits_in_file(const std::vector<Limits>& taken, const ValuesOf& image) {
  const double most = image.bits == 8 ? 255 : 65535;
  Value limits = Value::array();
  const auto value = [&](double v) {
    return image.range ? image.range->low + v / most * (image.range->high - image.range->low) : v;
  };
  if (taken.empty() && image.range) limits.push_back({image.range->low, image.range->high});
  for (const Limits& one : taken) limits.push_back({value(one.low), value(one.high)});
  return limits;
}

}  // namespace

void put_input(Value& json, const PictureRule& rule) {
  if (rule == PictureRule{}) return;
  Value page = rule.page.number;
  for (const auto& [word, how] : page_words)
    if (rule.page.how == how) page = word;
  json["input"] = {{"page", page}, {"channels_from", rule.channels_from}, {"contrast", rule.contrast}};
  if (rule.keeps_bits) json["input"]["bits"] = kept_bits;
}

PictureRule input_of(const Value& json) {
  PictureRule rule;
  if (!json.contains("input")) return rule;
  const Value& input = json.at("input");
  rule.page = page_choice_from(input.at("page"));
  for (const Value& channel : input.at("channels_from"))  // what is no whole number is refused as channel 0
    rule.channels_from.push_back(pipeline::whole_number<int64_t>(channel).value_or(0));
  rule.contrast = input.at("contrast");
  const auto& known = contrast_rules();
  if (std::none_of(known.begin(), known.end(), [&](const ContrastRule& one) { return one.name == rule.contrast; }))
    throw Error(ExitCode::data,
                "\"contrast\" is '" + distributed::printable_name(rule.contrast) + "', which is unknown");
  rule.keeps_bits = input.contains("bits");
  if (rule.keeps_bits && input.at("bits") != kept_bits)
    throw Error(ExitCode::data,
                fmt::format("\"bits\" is {}, and only \"{}\" is known", input.at("bits").dump(), kept_bits));
  return rule;
}

PageChoice page_choice_from(const Value& value) {
  if (value.is_number_integer()) return {PageChoice::How::one, value.get<int64_t>()};
  for (const auto& [word, how] : page_words)
    if (value == word) return {how, 0};
  throw Error(ExitCode::data,
              fmt::format("{} is no choice of a page (a number, \"only\", \"max\", \"mean\")", value.dump()));
}

Picture read_picture(std::span<const uint8_t> bytes, std::string_view what, const PictureRule& rule, int channels,
                     Grey grey) {
  return picture_of(decode_image(bytes, what, rule.page), what, rule, channels, grey);
}

Picture picture_of(Image native, std::string_view what, const PictureRule& rule, int channels, Grey grey) {
  PENSTOCK_CHECK(rule.channels_from.empty() || rule.channels_from.size() == static_cast<size_t>(channels) ||
                     (rule.channels_from.size() == 1 && channels == 3),
                 fmt::format("channels_from fits the {} channels of a sample", channels));
  check_channels(native, what, rule, channels);
  Picture picture;
  picture.channels = native.channels;
  picture.bits = native.bits;
  if (!native.notes.empty()) picture.record["notes"] = native.notes;
  Image wanted = chosen(std::move(native), rule);
  const ValuesOf file{wanted.bits, wanted.range};
  std::vector<Limits> taken;
  picture.image = with_contrast(std::move(wanted), contrast_rule(rule.contrast), rule.keeps_bits ? 16 : 8, taken);
  const Value limits = limits_in_file(taken, file);
  if (!limits.empty()) picture.record["limits"] = limits;
  const bool stays = grey == Grey::stays && picture.image.channels == 1;
  if (picture.image.channels != channels && !stays) picture.image = to_channels(picture.image, channels);
  return picture;
}

}  // namespace penstock::stages
