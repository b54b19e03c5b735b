#include "stages/audit/mask_shape.h"

#include <algorithm>
#include <vector>

namespace penstock::stages {
namespace {

// An area of pixels of one label.
struct Area {
  Label label = 0;
  int64_t pixels = 0;
  bool at_border = false;
  Label around = 0;      // a label beside it, where it is background
  bool several = false;  // there are others
};

// Takes the area that `start` lies in: background by 4 neighbours, objects by 8.
class Areas {
 public:
  explicit Areas(const LabelMap& map) : map_(map), seen_(map.labels.size()) {
    for (size_t i = 0; i < map.labels.size(); ++i) {
      if (!seen_[i]) all_.push_back(grown_from(i));
    }
  }
  const std::vector<Area>& all() const { return all_; }

 private:
  Area grown_from(size_t start) {
    Area area{map_.labels[start]};
    const int steps = area.label == 0 ? 4 : 8;
    open_.assign(1, start);
    seen_[start] = true;
    while (!open_.empty()) {
      const size_t at = open_.back();
      open_.pop_back();
      ++area.pixels;
      const int y = static_cast<int>(at / map_.width), x = static_cast<int>(at % map_.width);
      area.at_border |= y == 0 || x == 0 || y == map_.height - 1 || x == map_.width - 1;
      for (int step = 0; step < steps; ++step) visit(area, y + down[step], x + right[step]);
    }
    return area;
  }

  void visit(Area& area, int y, int x) {
    if (y < 0 || x < 0 || y >= map_.height || x >= map_.width) return;
    const size_t at = static_cast<size_t>(y) * map_.width + x;
    if (map_.labels[at] != area.label) {
      if (area.around == 0) area.around = map_.labels[at];
      area.several |= map_.labels[at] != area.around;
    } else if (!seen_[at]) {
      seen_[at] = true;
      open_.push_back(at);
    }
  }

  static constexpr int down[] = {-1, 1, 0, 0, -1, -1, 1, 1}, right[] = {0, 0, -1, 1, -1, 1, -1, 1};
  const LabelMap& map_;
  std::vector<bool> seen_;
  std::vector<size_t> open_;
  std::vector<Area> all_;
};

double border_share(const LabelMap& map) {
  int64_t pixels = 0, labelled = 0;
  for (int y = 0; y < map.height; ++y) {
    const bool whole = y == 0 || y == map.height - 1;
    for (int x = 0; x < map.width; x += whole || map.width == 1 ? 1 : map.width - 1) {
      ++pixels;
      labelled += map.labels[static_cast<size_t>(y) * map.width + x] != 0;
    }
  }
  return pixels == 0 ? 0 : static_cast<double>(labelled) / static_cast<double>(pixels);
}

}  // namespace

MaskShape shape_of(const LabelMap& map) {
  const auto labels = static_cast<size_t>(map.objects()) + 1;  // the largest, and 0
  std::vector<int64_t> pixels(labels), pieces(labels);
  std::vector<bool> holed(labels);
  const Areas areas(map);
  for (const Area& area : areas.all()) {
    if (area.label > 0) {
      pixels[area.label] += area.pixels;
      ++pieces[area.label];
    } else if (!area.at_border && area.around != 0 && !area.several && area.pixels >= least_hole) {
      holed[area.around] = true;
    }
  }
  std::vector<int64_t> sizes;
  for (const int64_t size : pixels) {
    if (size > 0) sizes.push_back(size);
  }
  MaskShape shape;
  if (sizes.empty()) return shape;
  std::sort(sizes.begin(), sizes.end());
  const int64_t median = sizes[sizes.size() / 2];
  int64_t all = 0;
  for (const int64_t size : sizes) {
    shape.tiny += size < least_object || size * 100 < median;
    all += size;
  }
  for (size_t label = 1; label < pixels.size(); ++label)
    shape.in_pieces += pieces[label] > 1, shape.with_holes += holed[label];
  const auto whole = static_cast<double>(map.labels.size());
  shape.objects = static_cast<int64_t>(sizes.size());
  shape.largest = static_cast<double>(sizes.back()) / whole;
  shape.foreground = static_cast<double>(all) / whole;
  shape.border = border_share(map);
  return shape;
}

}  // namespace penstock::stages
