// Where something of a configuration was written. A value; any thread.
#pragma once

#include <string>

namespace penstock::pipeline {

// "configs/dsb2018.toml:38:1", or "--set train.lr=3" with line 0.
struct Position {
  std::string file;
  int line = 0;    // from 1; 0: no line (a flag, the environment, a default)
  int column = 0;  // from 1, in letters
  int length = 1;  // in letters, cut off at the end of the line
};
std::string to_string(const Position& position);

}  // namespace penstock::pipeline
