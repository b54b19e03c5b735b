// The tables of a changed row (row_change.h), made on the host for host and device. Any thread may call.
#pragma once

#include <vector>

#include "stages/compute/step/step_samples.h"

namespace penstock::stages {

// Values of a row's tables: [channels, row_table_length], or as many for each of its tiles.
size_t table_values(int channels, bool by_tile);

using RowTables = std::vector<float>;

// `look`: at the row's sample. By tile where the row's contrast is evened out: by contrast-limited adaptive histogram
// equalisation (Zuiderveld 1994, Graphics Gems IV), of the pixels of the row's window as they lie in the sample,
// whatever map the row has, and of all channels together, so that grey stays grey.
RowTables tables_of(const BatchRow& row, const StepSamples& data, const SampleLook& look);

}  // namespace penstock::stages
