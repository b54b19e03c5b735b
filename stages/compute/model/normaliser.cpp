#include "stages/compute/model/normaliser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "distributed/check.h"
#include "distributed/error.h"
#include "stages/arithmetic/device_sampling.h"
#include "stages/training/name_table.h"
#include "stages/training/normalisations.h"

namespace penstock::stages {
namespace {

// The values below which these shares of an image's values lie, %.
std::pair<double, double> percentiles(const PixelValues& image, size_t times, double low, double high) {
  const std::vector<size_t> counts = counts_of(image);
  const size_t all = image.size() * times;
  const auto at = [&](double share) {
    const auto wanted = std::min(static_cast<size_t>(share / 100 * static_cast<double>(all)), all - 1);
    return in_bytes(value_at_place(counts, wanted / times), image.bits);
  };
  return {at(low), at(high)};
}

__extension__ using Squares = unsigned __int128;  // those of 16 bits outgrow 64 bits

// Of a channel of all images, in integers: the order of the images does not matter.
struct Moments {
  uint64_t count = 0, sum = 0;
  Squares squares = 0;

  void add(const PixelValues& image, size_t channel, size_t channels) {
    uint64_t of_image = 0;  // of less than 2^31 values
    image.with([&](const auto* value) {
      for (size_t i = channel; i < image.size(); i += channels)
        sum += value[i], of_image += uint64_t{value[i]} * value[i], ++count;
    });
    squares += of_image;
  }
};

}  // namespace

std::pair<double, double> Normaliser::range_of(const PixelValues& image, size_t times) const {
  if (!normalisation_rule(kind).by_image) return {0, 255};
  const auto [darkest, brightest] = percentiles(image, times, low, high);
  return {darkest, brightest <= darkest ? darkest + 1 : brightest};
}

std::array<float, 256> Normaliser::table(const std::pair<double, double>& range, int c) const {
  const auto [darkest, brightest] = range;
  const NormalisationRule& rule = normalisation_rule(kind);
  PENSTOCK_CHECK(!rule.by_channel || (c >= 0 && static_cast<size_t>(c) < std::min(mean.size(), sd.size())),
                 "a normalisation by channel has the mean and deviation of each channel");
  const double scale = rule.by_channel ? 1 / (255 * sd[c]) : 1 / (brightest - darkest);
  const double shift = rule.by_channel ? mean[c] * 255 : darkest;
  std::array<float, 256> table;
  for (int value = 0; value < 256; ++value) {
    const double scaled = (value - shift) * scale;
    table[value] = static_cast<float>(rule.by_image ? std::clamp(scaled, 0.0, 1.0) : scaled);
  }
  return table;
}

void Normaliser::apply(const PixelValues& image, int channels, float* out) const {
  PENSTOCK_CHECK(channels > 0 && image.size() % channels == 0, "an image has all channels of each pixel");
  const size_t pixels = image.size() / channels;
  const auto range = range_of(image);
  for (int c = 0; c < channels; ++c) {
    const auto values = table(range, c);  // exact, and no division per pixel
    float* plane = out + c * pixels;
    image.with([&](const auto* value) {
      for (size_t i = 0; i < pixels; ++i) plane[i] = shown_value(values.data(), value[i * channels + c]);
    });
  }
}

pipeline::Value to_json(const Normaliser& normaliser) {
  pipeline::Value json = {{"kind", normaliser.kind}};
  if (normalisation_rule(normaliser.kind).by_channel) json["mean"] = normaliser.mean, json["sd"] = normaliser.sd;
  const bool usual = normaliser.low == Normaliser{}.low && normaliser.high == Normaliser{}.high;
  if (normalisation_rule(normaliser.kind).by_image && !usual) json["percentiles"] = {normaliser.low, normaliser.high};
  return json;
}

Normaliser normaliser_from_json(const pipeline::Value& json) {
  Normaliser normaliser;
  normaliser.kind = json.at("kind");
  require_known("normalisation", normaliser.kind, names_of(normalisation_rules()));
  if (normalisation_rule(normaliser.kind).by_channel)
    normaliser.mean = json.at("mean").get<std::vector<double>>(),
    normaliser.sd = json.at("sd").get<std::vector<double>>();
  const auto usable = [](double sd) { return std::isfinite(sd) && sd > 0; };
  if (normaliser.mean.size() != normaliser.sd.size() ||
      !std::all_of(normaliser.sd.begin(), normaliser.sd.end(), usable))
    throw Error(ExitCode::data, "\"mean\" and \"sd\" are not one mean and one deviation above 0 for each channel");
  if (json.contains("percentiles")) {
    normaliser.low = json.at("percentiles").at(0), normaliser.high = json.at("percentiles").at(1);
    if (!(normaliser.low >= 0 && normaliser.low < normaliser.high && normaliser.high <= 100)) {
      throw Error(ExitCode::data, fmt::format("percentiles {} and {} are not shares in %, the lower before the higher",
                                              normaliser.low, normaliser.high));
    }
  }
  return normaliser;
}

Normaliser make_normaliser(const std::string& kind, const std::vector<const std::vector<uint8_t>*>& images,
                           int channels) {
  return measured_normaliser(
      kind,
      [&images](const SeeImage& see) {
        for (const auto* image : images) see(*image);
      },
      channels);
}

Normaliser measured_normaliser(const std::string& kind, const std::function<void(const SeeImage&)>& each,
                               int channels) {
  Normaliser normaliser;
  normaliser.kind = kind;
  if (!normalisation_rule(kind).by_channel) return normaliser;
  std::vector<Moments> moments(static_cast<size_t>(channels));
  double one = 1;  // byte, in values
  each([&](const PixelValues& image) {
    one = image.bits == 8 ? 1 : wide_steps;
    for (size_t c = 0; c < moments.size(); ++c) moments[c].add(image, c, moments.size());
  });
  for (const Moments& of : moments) {
    const double mean = static_cast<double>(of.sum) / static_cast<double>(of.count) / one;
    const double variance = static_cast<double>(of.squares) / static_cast<double>(of.count) / (one * one) - mean * mean;
    normaliser.mean.push_back(mean / 255);
    normaliser.sd.push_back(std::max(std::sqrt(std::max(variance, 0.0)) / 255, 1e-6));
  }
  return normaliser;
}

}  // namespace penstock::stages
