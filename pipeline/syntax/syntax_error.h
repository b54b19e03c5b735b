// Explains a TOML parser's message to the person who wrote the file: where the mistake is, and what to write. Called by
// parse_document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/syntax/diagnostic.h"

namespace penstock::pipeline {

struct SyntaxError {
  Position position;
  std::string sentence;
  std::vector<Note> notes;
};

// `text` is well formed up to `where`, at which the parser stopped with `message`. The position returned is where
// the person would look: the opening quote, the word without quotes, the key that is there a second time.
SyntaxError explained(const std::string& text, const Position& where, std::string_view message);

}  // namespace penstock::pipeline
