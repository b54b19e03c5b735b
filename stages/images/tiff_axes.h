// What the planes of a TIFF stand for, where its description says it: ImageJ's, OME's or tifffile's. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace penstock::stages {

// Planes in the file's order are a table of pages (z, t and whatever else) by channels.
struct TiffAxes {
  int pages = 1;
  int channels = 1;
  std::vector<int> planes;  // [pages, channels] -> number of the plane in the file

  int plane(int page, int channel) const { return planes[static_cast<size_t>(page) * channels + channel]; }
};

// `description` is the first plane's. nullopt: it says nothing that fits `planes` planes, which are pages then.
// Broken text is no error: it says nothing.
std::optional<TiffAxes> axes_in(std::string_view description, int planes);

// How many planes an ImageJ description says there are, 0 when it is none: large stacks have one directory only, and
// the other planes' pixels lie behind those of the first.
int planes_of_imagej(std::string_view description);

}  // namespace penstock::stages
