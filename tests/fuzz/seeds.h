// Small sound inputs of each fuzz target, made by the program's own writers, by libpng, libjpeg and libtiff, and from
// the configurations of the repository: what fuzzing begins with, and what the replay test damages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::fuzz {

std::vector<std::string> seeds_of(std::string_view target);

}  // namespace penstock::fuzz
