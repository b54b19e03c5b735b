#include "pipeline/position.h"

#include <fmt/format.h>

namespace penstock::pipeline {

std::string to_string(const Position& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

}  // namespace penstock::pipeline
