// Training longer: instances that differ only in when they end are one family, and a longer one continues from the
// progress that a shorter one kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/keys.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

// The digest that an instance shares with those that it may take progress over from; nullopt where its kind has no
// parameters that only say when the work ends.
std::optional<Digest> family_of(const Node& node, const KeyFields& fields);

// What an instance without progress of its own would take over; nothing when it has some.
Adoption adoption_of(const Node& node, const KeyFields& fields, const Store& store);

}  // namespace penstock::pipeline
