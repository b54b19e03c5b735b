// The objects of a picture as runs along its rows: what a label map says, in memory that grows with the objects and not
// with the picture, and without a limit to their number. Pure; any thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "stages/images/image.h"
#include "stages/images/label_codec.h"

namespace penstock::stages {

// Pixels [begin, begin + length) of row y.
struct ObjectRun {
  uint16_t y = 0, begin = 0, length = 0;
};
static_assert(max_side <= 65535, "a run's place and length are numbers of 16 bits");

struct FoundObject {
  size_t first_run = 0, runs = 0;  // those of FoundObjects::runs that are its own, from the top and the left
  int64_t area = 0, x = 0, y = 0;  // pixels, and the sums of their columns and rows
  double probability = 0;          // the sum of the foreground's, over its pixels in their order, without `filled`
  int64_t filled = 0;              // of its pixels, those that were background inside of it (hole_filling.h)
};

struct FoundObjects {
  int width = 0, height = 0;
  std::vector<FoundObject> objects;  // number n is objects[n - 1]: in the order of their first pixels
  std::vector<ObjectRun> runs;       // of all foreground: also of objects that were smaller than the smallest area

  std::span<const ObjectRun> runs_of(const FoundObject& object) const {
    return std::span(runs).subspan(object.first_run, object.runs);
  }
};

// Calls row(y, labels [width]) for each row, from the top: 0 background, else the object's number.
void each_label_row(const FoundObjects& found, const std::function<void(int y, std::span<const uint32_t> labels)>& row);

LabelMap label_map_of(const FoundObjects& found);

// Kaggle's run lengths of an object: "start length start length ...", column by column from 1.
std::string run_lengths(const FoundObjects& found, const FoundObject& object);

}  // namespace penstock::stages
