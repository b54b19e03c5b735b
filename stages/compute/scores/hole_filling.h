// Holes of objects: background that lies inside of one.
#pragma once

#include "stages/compute/scores/found_objects.h"

namespace penstock::stages {

// Gives each object the background that it encloses: pixels of no object from which no way along pixels' sides leads
// out of it (as scipy.ndimage.binary_fill_holes). A hole in which another object lies stays as it is. Areas and centres
// follow. Pure; memory: 5 bytes for each pixel of the box around an object, and 14 for each run.
void fill_holes(FoundObjects& found);

}  // namespace penstock::stages
