// The layout that the user's patterns say. Pure; throws Error(data) as catalogue.h says.
#pragma once

#include <vector>

#include "stages/archives/layouts.h"

namespace penstock::stages {

// At least one pattern is given; without `images`, these are found by names.
Sorting sort_by_patterns(const std::vector<NamedFile>& files, const LayoutPatterns& patterns);

}  // namespace penstock::stages
