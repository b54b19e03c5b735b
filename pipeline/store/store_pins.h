// Publications that are never collected: pins/<action key>, an empty file or one with a note for people.
#pragma once

#include <string>

#include "pipeline/store/store.h"

namespace penstock::pipeline {

bool is_pinned(const Store& store, const Digest& action);
// Error(io) or Error(cannot_create) when the store cannot be written.
void pin(const Store& store, const Digest& action, const std::string& note);
// False when it was not pinned.
bool unpin(const Store& store, const Digest& action);

}  // namespace penstock::pipeline
