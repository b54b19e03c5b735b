#include "stages/compute/scores/metrics.h"

#include <algorithm>
#include <cmath>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

// part / whole; a question about nothing scores 1 when nothing was wrong.
double share(int64_t part, int64_t whole, bool nothing_wrong) {
  if (whole == 0) return nothing_wrong ? 1 : 0;
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

PixelCounts& PixelCounts::operator+=(const PixelCounts& other) {
  tp += other.tp, fp += other.fp, fn += other.fn, tn += other.tn;
  return *this;
}

double PixelCounts::accuracy() const { return share(tp + tn, tp + fp + fn + tn, true); }
double PixelCounts::precision() const { return share(tp, tp + fp, fn == 0); }
double PixelCounts::recall() const { return share(tp, tp + fn, fp == 0); }
double PixelCounts::dice() const { return share(2 * tp, 2 * tp + fp + fn, true); }
double PixelCounts::iou() const { return share(tp, tp + fp + fn, true); }
double PixelCounts::specificity() const { return share(tn, tn + fp, true); }

Calibration& Calibration::operator+=(const Calibration& other) {
  for (size_t i = 0; i < bins.size(); ++i) {
    bins[i].pixels += other.bins[i].pixels;
    bins[i].there += other.bins[i].there;
    bins[i].probabilities += other.bins[i].probabilities;
  }
  return *this;
}

int64_t Calibration::pixels() const {
  int64_t sum = 0;
  for (const Bin& bin : bins) sum += bin.pixels;
  return sum;
}

double Calibration::error() const {
  double apart = 0;  // in pixels
  for (const Bin& bin : bins)
    apart += std::abs(static_cast<double>(bin.probabilities) / 65535 - static_cast<double>(bin.there));
  return pixels() == 0 ? 0 : apart / static_cast<double>(pixels());
}

Calibration calibration_of(std::span<const float> probability, std::span<const uint8_t> truth) {
  PENSTOCK_CHECK(probability.size() == truth.size(), "probabilities and truth are of one grid");
  Calibration calibration;
  const auto last = calibration.bins.size() - 1;
  for (size_t i = 0; i < truth.size(); ++i) {
    const float p = std::clamp(probability[i], 0.0f, 1.0f);
    auto& bin = calibration.bins[std::min(last, static_cast<size_t>(p * static_cast<float>(last + 1)))];
    ++bin.pixels;
    bin.there += truth[i] != 0;
    bin.probabilities += std::lround(p * 65535);
  }
  return calibration;
}

PixelCounts count_pixels(std::span<const float> probability, std::span<const uint8_t> truth, double threshold) {
  PENSTOCK_CHECK(probability.size() == truth.size(), "probabilities and truth are of one grid");
  const auto limit = static_cast<float>(threshold);
  PixelCounts counts;
  for (size_t i = 0; i < truth.size(); ++i) {
    const bool predicted = probability[i] > limit, there = truth[i] != 0;
    counts.tp += predicted && there;
    counts.fp += predicted && !there;
    counts.fn += !predicted && there;
    counts.tn += !predicted && !there;
  }
  return counts;
}

pipeline::Value figures_of(const PixelCounts& counts) {
  return {{"accuracy", counts.accuracy()}, {"precision", counts.precision()},
          {"recall", counts.recall()},     {"dice", counts.dice()},
          {"iou", counts.iou()},           {"specificity", counts.specificity()}};
}

pipeline::Value mean_figures(const std::vector<PixelCounts>& images) {
  pipeline::Value means = figures_of({});
  if (images.empty()) return means;
  for (auto& [name, mean] : means.items()) {
    double sum = 0;
    for (const PixelCounts& image : images) sum += figures_of(image).at(name).get<double>();
    mean = sum / static_cast<double>(images.size());
  }
  return means;
}

}  // namespace penstock::stages
