// Pixel metrics: integer counts, and what follows from them. Pure; any thread may call.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

// Of the foreground. Counts are integers, so that any order of summing gives the same.
struct PixelCounts {
  int64_t tp = 0, fp = 0, fn = 0, tn = 0;

  PixelCounts& operator+=(const PixelCounts& other);
  double accuracy() const;
  double precision() const;  // 1 when nothing was predicted and nothing is there, 0 when only one of them
  double recall() const;
  double dice() const;  // = F1; 1 when truth and prediction are both empty
  double iou() const;
  double specificity() const;
};

// How often what was given some probability is there: pixels by probability, in bins of equal width. Integers, so that
// any order of summing gives the same.
struct Calibration {
  struct Bin {
    int64_t pixels = 0;
    int64_t there = 0;          // of them, foreground in truth
    int64_t probabilities = 0;  // their sum, each rounded to 1/65535
  };
  std::array<Bin, 10> bins = {};

  Calibration& operator+=(const Calibration& other);
  int64_t pixels() const;
  // Expected calibration error (Naeini et al. 2015): the mean over pixels of how far a bin's mean probability is from
  // the share of its pixels that are foreground. 0 of none.
  double error() const;
};
Calibration calibration_of(std::span<const float> probability, std::span<const uint8_t> truth);

PixelCounts count_pixels(std::span<const float> probability, std::span<const uint8_t> truth, double threshold);

// {"accuracy", "precision", "recall", "dice", "iou", "specificity"}
pipeline::Value figures_of(const PixelCounts& counts);
// The mean of each figure over images, in their order.
pipeline::Value mean_figures(const std::vector<PixelCounts>& images);

}  // namespace penstock::stages
