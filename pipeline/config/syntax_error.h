// A TOML parser's complaint, retold for the person who wrote the file: where the slip is, and what to write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/config/diagnostic.h"

namespace penstock::pipeline {

struct SyntaxError {
  Position position;
  std::string sentence;
  std::vector<Note> notes;
};

// `text` is well formed up to `where`, at which the parser stopped with `complaint`. The place that is told is where
// the person would look: the opening quote, the word without quotes, the key that is there a second time.
SyntaxError retold(const std::string& text, const Position& where, std::string_view complaint);

}  // namespace penstock::pipeline
