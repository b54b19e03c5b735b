// Parameters of resize, for its declaration and its body.
#pragma once

#include "pipeline/parameters.h"
#include "stages/images/picture.h"
#include "stages/resize_modes.h"

namespace penstock::stages {

struct ResizeParameters {
  int64_t width = 128;
  int64_t height = 128;
  int64_t channels = 3;
  double mask_coverage = 0.5;
  std::string mode = "squash";
  double scale = 1;
  double object_diameter = 0;
  std::string masks = "auto";
  std::vector<std::string> exclude;
  std::vector<int64_t> channels_from;
  pipeline::IntegerOrWord page = "only";
  std::string contrast = "auto";
  pipeline::IntegerOrWord bits = kept_bits;
  std::string on_bad = "fail";

  void describe(pipeline::ParameterVisitor& visit);
  PictureRule picture_rule() const;
  SampleRule sample_rule() const;  // with the scale that is given
  // Whether samples may have another size than their pictures.
  bool scales() const;

 private:
  void describe_files(pipeline::ParameterVisitor& visit);  // how pictures and masks are read
};

}  // namespace penstock::stages
