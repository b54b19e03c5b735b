// What each error code of a configuration means and how it is mended: what `penstock explain E203` prints.
#pragma once

#include <string_view>
#include <vector>

namespace penstock::pipeline {

// E1xx file, E2xx stages and parameters, E3xx graph, E4xx matrix.
struct Rule {
  std::string_view code;
  std::string_view meaning;  // one line
  std::string_view remedy;   // what to do, with an example
};
const std::vector<Rule>& rules();
const Rule* find_rule(std::string_view code);  // nullptr when there is none
bool is_error_code(std::string_view text);     // has the form of one: E and three digits

}  // namespace penstock::pipeline
