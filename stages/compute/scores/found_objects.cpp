#include "stages/compute/scores/found_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"

namespace penstock::stages {
namespace {

// Text of runs that come in order; those that touch are one.
class RunText {
 public:
  void add(int64_t place) {
    if (length_ > 0 && start_ + length_ == place) {
      ++length_;
      return;
    }
    close();
    start_ = place, length_ = 1;
  }
  std::string finish() {
    close();
    return std::move(text_);
  }

 private:
  void close() {
    if (length_ > 0) text_ += fmt::format("{}{} {}", text_.empty() ? "" : " ", start_, length_);
  }

  int64_t start_ = 0, length_ = 0;
  std::string text_;
};

}  // namespace

void each_label_row(const FoundObjects& found,
                    const std::function<void(int y, std::span<const uint32_t> labels)>& row) {
  struct Open {
    uint32_t number;
    std::span<const ObjectRun> rest;
  };
  std::vector<Open> open;
  std::vector<uint32_t> labels(static_cast<size_t>(found.width));
  size_t next = 0;
  for (int y = 0; y < found.height; ++y) {
    for (; next < found.objects.size() && found.runs[found.objects[next].first_run].y == y; ++next)
      open.push_back({static_cast<uint32_t>(next + 1), found.runs_of(found.objects[next])});
    std::fill(labels.begin(), labels.end(), 0u);
    for (Open& object : open) {
      for (; !object.rest.empty() && object.rest.front().y == y; object.rest = object.rest.subspan(1))
        std::fill_n(labels.begin() + object.rest.front().begin, object.rest.front().length, object.number);
    }
    std::erase_if(open, [](const Open& object) { return object.rest.empty(); });
    row(y, labels);
  }
}

LabelMap label_map_of(const FoundObjects& found) {
  LabelMap map{found.height, found.width, {}};
  map.labels.reserve(static_cast<size_t>(found.width) * static_cast<size_t>(found.height));
  each_label_row(found, [&](int, std::span<const Label> labels) {
    map.labels.insert(map.labels.end(), labels.begin(), labels.end());
  });
  return map;
}

std::string run_lengths(const FoundObjects& found, const FoundObject& object) {
  constexpr int most_pixels = 1 << 24;  // that are looked at together: a strip of the object's columns
  const auto runs = found.runs_of(object);
  int left = found.width, right = 0;
  for (const ObjectRun& run : runs) {
    left = std::min<int>(left, run.begin);
    right = std::max<int>(right, run.begin + run.length);
  }
  const int top = runs.front().y, rows = runs.back().y - top + 1;
  const int columns = std::clamp(most_pixels / rows, 1, right - left);
  std::vector<uint8_t> inside(static_cast<size_t>(columns) * static_cast<size_t>(rows));  // column by column
  RunText text;
  for (int from = left; from < right; from += columns) {
    std::fill(inside.begin(), inside.end(), uint8_t{0});
    const int end = std::min(from + columns, right);
    for (const ObjectRun& run : runs) {
      for (int x = std::max<int>(run.begin, from); x < std::min(run.begin + run.length, end); ++x)
        inside[static_cast<size_t>(x - from) * rows + (run.y - top)] = 1;
    }
    for (int x = from; x < end; ++x) {
      for (int y = 0; y < rows; ++y) {
        if (inside[static_cast<size_t>(x - from) * rows + y] != 0) text.add(int64_t{x} * found.height + top + y + 1);
      }
    }
  }
  return text.finish();
}

}  // namespace penstock::stages
