// The choices of resize.mode: what size a picture has as a sample. Pure. The arithmetic is in
// stages/compute/data/sample_size.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct ResizeMode {
  std::string name, help;
  bool own_size = false;  // each sample has its own size, and training takes crops; else all lie on one grid
};

const std::vector<ResizeMode>& resize_modes();
const ResizeMode& resize_mode(std::string_view name);  // fails a check where there is none of that name

}  // namespace penstock::stages
