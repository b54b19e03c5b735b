// Checks of this machine for `penstock doctor`, besides ranks and libraries. Local.
#pragma once

#include <filesystem>
#include <vector>

#include "distributed/world.h"
#include "stages/finding.h"

namespace penstock::launch {

// Cores, memory, MPI and the launch line.
std::vector<stages::Finding> check_machine(const distributed::World& world,
                                           const distributed::Environment& environment);
// The file system that `folder` lies on: space, sync to disk, hard links. Leaves nothing behind.
std::vector<stages::Finding> check_disk(const std::filesystem::path& folder);

// One line a finding, and how many there are of each: "7 ok, 1 FAILED, 2 not run".
std::string as_text(const std::vector<stages::Finding>& findings);
std::string as_json(const std::vector<stages::Finding>& findings);

}  // namespace penstock::launch
