// What `penstock bench` measured on this machine, kept for `penstock plan --world`: measurements.json in the user's
// cache folder. The newest measurement of each kind counts. Several processes may write; of two at once one may be
// lost.
#pragma once

#include <optional>

#include "pipeline/value.h"
#include "stages/bench.h"

namespace penstock::launch {

// Records the result of bench(), unless it was a comparison. A cache folder that cannot be written is not an error.
void keep_measurement(const stages::BenchRequest& request, const pipeline::Value& result);

// Steps of training of this network, micro-batch and grid, measured on this host, the newest; null when there are none.
// {"ranks", "threads", "images_per_second", "step_seconds", "update_seconds", "request": {...}, "time", "host"}
pipeline::Value measured_steps(const stages::BenchRequest& like);

// The link fitted to the reductions with the most ranks on this host, {"ranks", "link": {...}, "time", "host"}; null
// when there is none.
pipeline::Value measured_link();

}  // namespace penstock::launch
