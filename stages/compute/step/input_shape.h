// The fixed size of what a network sees at once in training: one row of a batch. Every micro-shard has it, whatever the
// size of the samples.
#pragma once

namespace penstock::stages {

struct InputShape {
  int width = 0, height = 0, channels = 0;
  int bits = 8;  // of a value of the samples that it shows
};

}  // namespace penstock::stages
