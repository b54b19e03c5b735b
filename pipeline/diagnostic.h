// Problems of a configuration, collected and told at once in the shape of a compiler's messages.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/graph.h"

namespace penstock::pipeline {

// Codes, with the sentence that `explain` prints. E1xx file, E2xx stages and parameters, E3xx graph, E4xx matrix.
struct Rule {
  std::string_view code;
  std::string_view meaning;
};
const std::vector<Rule>& rules();

class Diagnostics {
 public:
  // The text of a file that positions point into, for the source lines under each message.
  void add_source(const std::string& file, const std::string& text);

  // `length` letters are underlined.
  void error(std::string_view code, const Position& position, const std::string& sentence, size_t length = 1);

  bool empty() const { return found_.empty(); }
  // Throws Error(config) with every problem in order of place; does nothing when there is none.
  void throw_if_any() const;

 private:
  struct Problem {
    Position position;
    std::string text;  // "error[E203]: ..."
    size_t length;
  };
  std::string told(const Problem& problem) const;

  std::map<std::string, std::vector<std::string>> sources_;  // lines
  std::vector<Problem> found_;
};

}  // namespace penstock::pipeline
