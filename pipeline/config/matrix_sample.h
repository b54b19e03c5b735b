// Draws combinations of a matrix's factors.
#pragma once

#include <optional>
#include <vector>

#include "pipeline/config/matrix_draft.h"

namespace penstock::pipeline {

// Row or value number `i` of the sample, for each factor. It depends on (seed, the factor's name, i) alone, so that a
// larger n only adds runs and a new axis changes no other axis' values.
Assignment draw(const std::vector<Factor>& factors, int64_t seed, int64_t i);

// How many different combinations there are to draw; nullopt: more than can be counted, as of a range of numbers.
std::optional<uint64_t> combinations(const std::vector<Factor>& factors);

}  // namespace penstock::pipeline
