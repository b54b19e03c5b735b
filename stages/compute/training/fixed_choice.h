// What "auto" became at a training's first attempt. It is kept in the progress folder, so that a later attempt, on
// other machines perhaps, goes on with the same arithmetic.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "pipeline/value.h"

namespace penstock::stages {

// Collective. The value that `progress` holds for the parameter of this name, else that of the first of `relatives`
// that holds one, else what `choose` returns, which rank 0 then writes. `choose` is collective and returns the same on
// every rank. Relatives that went with another value are taken out of the list.
pipeline::Value fixed_choice(distributed::Communicator& ranks, const std::filesystem::path& progress,
                             std::vector<std::filesystem::path>& relatives, const std::string& name,
                             const std::function<pipeline::Value()>& choose);

}  // namespace penstock::stages
