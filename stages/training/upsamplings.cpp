#include "stages/training/upsamplings.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<UpsamplingRule>& upsampling_rules() {
  static const std::vector<UpsamplingRule> rules = {
      {.name = "transposed", .help = "2x2 transposed convolution", .layer = "2x2 transposed convolution", .taps = 4},
      {.name = "bilinear",
       .help = "1x1 convolution, then bilinear interpolation, which leaves no checkerboard",
       .layer = "1x1 convolution, bilinear upsampling",
       .interpolates = true},
  };
  return rules;
}

const UpsamplingRule& upsampling_rule(std::string_view name) { return row_of(upsampling_rules(), "upsampling", name); }

}  // namespace penstock::stages
