// What a folder or an archive of somebody's pictures holds, looked at before there is a configuration: `penstock init`.
#pragma once

#include <filesystem>

#include "pipeline/value.h"
#include "stages/archives/catalogue.h"

namespace penstock::stages {

struct SurveyRequest {
  std::filesystem::path input;  // an archive or a folder
  LayoutPatterns patterns;      // the user's own, or empty
  int64_t most = 64;            // samples that are decoded: those whose ids have the smallest SHA-256
};

// {"layout", "left_over" (text, "" where nothing is), "samples", "labelled", "subsets": {name: count}, "looked_at",
//  "sides": [[width, height], ...], "channels": {"1": count, ...} (alpha apart), "bits": {"8": count, ...},
//  "colour" (share of pictures that are coloured), "looks": {look: count}, "page" ("only", or "max" where files are
//  stacks), "masks": {"meaning", "why"} or null, "objects" (median of a labelled picture), "diameter" (median, of the
//  circle of equal area, pixels), "foreground" (mean share), "touching" (share of the objects that meet another
//  within one pixel), "dim" (share of the objects in pictures of more than 8 bits whose mean is less than 8 of the 256
//  levels of contrast = "auto" apart from the background's median; 0 where there is no such picture), "dim_by_root"
//  (likewise, of contrast = "root")}.
// Throws Error(data) as unzip and resize would: no image in a known layout, a file that cannot be read, masks whose
// meaning cannot be told.
pipeline::Value survey(const SurveyRequest& request);

}  // namespace penstock::stages
