#include "stages/resize_modes.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<ResizeMode>& resize_modes() {
  static const std::vector<ResizeMode> modes = {
      {.name = "squash", .help = "every picture becomes width x height pixels, whatever its shape"},
      {.name = "native",
       .help = "each picture keeps its own size times one factor, and train takes crops",
       .own_size = true},
  };
  return modes;
}

const ResizeMode& resize_mode(std::string_view name) { return row_of(resize_modes(), "resize mode", name); }

}  // namespace penstock::stages
