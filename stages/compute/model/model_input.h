// How files become the pictures that a model was trained on, beside its description in model.json: predict does the
// same with its own. One process writes a folder.
#pragma once

#include <filesystem>

#include "stages/images/picture.h"

namespace penstock::stages {

// After write_model. The default leaves model.json as it is.
void write_model_input(const std::filesystem::path& folder, const PictureRule& input);

// Throws Error(data) as read_model_description does.
PictureRule read_model_input(const std::filesystem::path& folder);

}  // namespace penstock::stages
