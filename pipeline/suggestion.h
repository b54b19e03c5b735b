// The valid name that was probably meant. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::pipeline {

// The nearest of `names` by edit distance (insert, delete, replace, swap of neighbours), when it is near enough to be a
// typing error: at most a third of the longer word's letters, and at least one.
std::optional<std::string> nearest_name(std::string_view word, const std::vector<std::string>& names);

// "; did you mean 'epochs'?" or nothing: the end of an error's sentence.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

// The same, but where no name is near, all of them when they are few: "; it takes n, seed".
std::string instead_of(std::string_view word, const std::vector<std::string>& names, std::string_view introduction);

}  // namespace penstock::pipeline
