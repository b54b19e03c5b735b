// The configuration that `penstock init` writes: every choice with the measured reason beside it.
#pragma once

#include <string>

#include "pipeline/value.h"

namespace penstock::launch {

struct FirstConfiguration {
  std::string name;           // of the pipeline
  std::string input;          // as the configuration will name it
  std::string images, masks;  // the user's own patterns, or empty
};

// The text of a configuration that runs as it is, from what stages::survey found. Pure. Throws Error(data) where there
// is nothing to train on: no picture has a mask.
std::string first_configuration(const FirstConfiguration& given, const pipeline::Value& survey);

}  // namespace penstock::launch
