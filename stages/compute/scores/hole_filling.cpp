#include "stages/compute/scores/hole_filling.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

namespace penstock::stages {
namespace {

using Runs = std::span<const ObjectRun>;

// Of each row, the runs of all objects.
using Rows = std::vector<std::vector<ObjectRun>>;

// A row that crosses a hole has pixels of the object on either side of it. Runs lie in the order of rows.
bool may_have_holes(Runs runs) {
  const auto same_row = [](const ObjectRun& one, const ObjectRun& next) { return one.y == next.y; };
  return std::adjacent_find(runs.begin(), runs.end(), same_row) != runs.end();
}

// The box around an object, with a pixel of background on each side.
class Box {
 public:
  explicit Box(Runs runs) : top_(runs.front().y - 1), rows_(runs.back().y + 2 - top_) {
    int end = 0;
    left_ = runs.front().begin;
    for (const ObjectRun& run : runs)
      left_ = std::min<int>(left_, run.begin), end = std::max(end, run.begin + run.length);
    --left_;
    cv::Mat background(rows_, end + 1 - left_, CV_8UC1, cv::Scalar(1));
    for (const ObjectRun& run : runs) std::fill_n(background.ptr(run.y - top_) + run.begin - left_, run.length, 0);
    const int parts = cv::connectedComponents(background, parts_, 4, CV_32S);
    fills_.assign(static_cast<size_t>(parts), 1);
    fills_[static_cast<size_t>(parts_.at<int32_t>(0, 0))] = 0;  // that around the object
  }

  // Parts of background in which another object lies are no holes.
  void leave_to(const Rows& objects) {
    for (int row = 1; row + 1 < rows_; ++row) {
      for (const ObjectRun& run : objects[static_cast<size_t>(top_ + row)]) {
        const int begin = std::max(run.begin - left_, 0), end = std::min(run.begin + run.length - left_, parts_.cols);
        for (int x = begin; x < end; ++x) {
          if (const int32_t part = parts_.at<int32_t>(row, x); part != 0) fills_[static_cast<size_t>(part)] = 0;
        }
      }
    }
  }

  // The object, its own pixels and the holes that are left.
  std::vector<ObjectRun> filled() const {
    std::vector<ObjectRun> runs;
    for (int row = 1; row + 1 < rows_; ++row) {
      const int32_t* parts = parts_.ptr<int32_t>(row);
      const auto inside = [&](int x) { return fills_[static_cast<size_t>(parts[x])] != 0; };
      for (int begin = 0, end = 0; begin < parts_.cols; begin = end + 1) {
        for (end = begin; end < parts_.cols && inside(end);) ++end;
        if (end > begin)
          runs.push_back({static_cast<uint16_t>(top_ + row), static_cast<uint16_t>(left_ + begin),
                          static_cast<uint16_t>(end - begin)});
      }
    }
    return runs;
  }

 private:
  int top_, rows_, left_ = 0;
  cv::Mat parts_;               // 0: the object
  std::vector<uint8_t> fills_;  // of each part, whether it is the object or a hole of it
};

// What an object's pixels are in sum; `filled` from what they were.
void measure(FoundObject& object, Runs runs) {
  const int64_t before = object.area;
  object.area = object.x = object.y = 0;
  for (const ObjectRun& run : runs) {
    const int64_t length = run.length;
    object.area += length;
    object.x += (2 * int64_t{run.begin} + length - 1) * length / 2;
    object.y += int64_t{run.y} * length;
  }
  object.filled += object.area - before;
}

}  // namespace

void fill_holes(FoundObjects& found) {
  Rows rows(static_cast<size_t>(found.height));
  for (const ObjectRun& run : found.runs) rows[run.y].push_back(run);
  std::vector<ObjectRun> all;
  for (FoundObject& object : found.objects) {
    const Runs own = found.runs_of(object);
    const size_t first = all.size();
    if (may_have_holes(own)) {
      Box box(own);
      box.leave_to(rows);
      const auto runs = box.filled();
      measure(object, runs);
      all.insert(all.end(), runs.begin(), runs.end());
    } else {
      all.insert(all.end(), own.begin(), own.end());
    }
    object.first_run = first, object.runs = all.size() - first;
  }
  found.runs = std::move(all);
}

}  // namespace penstock::stages
