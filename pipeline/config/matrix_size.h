// How many runs a matrix gives, before any is made. Pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "pipeline/config/matrix_draft.h"

namespace penstock::pipeline {

// Counts saturate here.
inline constexpr uint64_t uncountable = std::numeric_limits<uint64_t>::max();

// The combinations of axes and zips (or those drawn of them), before excludes. 1 where seeds alone are given, and 0
// where nothing is, or includes say what the runs are.
uint64_t combinations_before_excludes(const MatrixDraft& matrix);

// The runs when `kept` combinations are left after excludes: with includes, times seeds.
uint64_t runs_of(const MatrixDraft& matrix, uint64_t kept);

// "5,184", or "more than 10^19".
std::string text_of_count(uint64_t number);

}  // namespace penstock::pipeline
