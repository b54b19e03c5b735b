#include "stages/compute/scores/decoders.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "distributed/check.h"
#include "stages/compute/scores/surface.h"
#include "stages/training/decoders.h"
#include "stages/training/name_table.h"
#include "stages/training/targets.h"

namespace penstock::stages {
namespace {

// 1 where a value exceeds the limit.
std::vector<uint8_t> above(std::span<const float> values, double limit) {
  const auto least = static_cast<float>(limit);
  std::vector<uint8_t> mask(values.size());
  std::transform(values.begin(), values.end(), mask.begin(),
                 [least](float value) { return static_cast<uint8_t>(value > least); });
  return mask;
}

// Connected pixels of a mask; 0 where it is 0.
std::vector<int32_t> connected(const std::vector<uint8_t>& mask, int width, int height, int connectivity) {
  std::vector<int32_t> found(mask.size());
  const cv::Mat given(height, width, CV_8UC1, const_cast<uint8_t*>(mask.data()));
  cv::Mat labels(height, width, CV_32S, found.data());
  cv::connectedComponents(given, labels, connectivity, CV_32S);
  return found;
}

// Watershed by flooding: objects grow over the region by pixels that share an edge, from the highest level down; among
// pixels of one level, those that were reached first (Meyer and Beucher 1990, with one queue a level).
class Flood {
 public:
  Flood(std::vector<int32_t>& objects, const std::vector<uint8_t>& levels, const std::vector<uint8_t>& region,
        int width)
      : objects_(objects), levels_(levels), region_(region), width_(width) {}

  void run() {
    for (size_t i = 0; i < objects_.size(); ++i) {
      if (objects_[i] != 0) queues_.back().push_back(i);
    }
    for (int level = 255; level >= 0; --level) {
      auto& queue = queues_[static_cast<size_t>(level)];
      for (size_t next = 0; next < queue.size(); ++next) spread(queue[next], level);
      queue.clear();
    }
  }

 private:
  void spread(size_t from, int level) {
    const size_t x = from % width_;
    if (from >= width_) reach(from - width_, from, level);
    if (x > 0) reach(from - 1, from, level);
    if (x + 1 < width_) reach(from + 1, from, level);
    if (from + width_ < objects_.size()) reach(from + width_, from, level);
  }
  void reach(size_t to, size_t from, int level) {
    if (objects_[to] != 0 || region_[to] == 0) return;
    objects_[to] = objects_[from];
    queues_[static_cast<size_t>(std::min<int>(level, levels_[to]))].push_back(to);
  }

  std::vector<int32_t>& objects_;
  const std::vector<uint8_t>& levels_;
  const std::vector<uint8_t>& region_;
  const size_t width_;
  std::array<std::vector<size_t>, 256> queues_;
};

// `seeds`, grown over the region; what no seed reaches is an object for each connected piece.
std::vector<int32_t> grown(std::vector<int32_t> seeds, const std::vector<uint8_t>& levels,
                           const std::vector<uint8_t>& region, int width, int height, int connectivity) {
  Flood(seeds, levels, region, static_cast<size_t>(width)).run();
  std::vector<uint8_t> rest(region.size());
  for (size_t i = 0; i < rest.size(); ++i) rest[i] = region[i] != 0 && seeds[i] == 0;
  const int32_t most = seeds.empty() ? 0 : *std::max_element(seeds.begin(), seeds.end());
  const auto pieces = connected(rest, width, height, connectivity);
  for (size_t i = 0; i < seeds.size(); ++i) {
    if (pieces[i] != 0) seeds[i] = most + pieces[i];
  }
  return seeds;
}

// How much a summit must rise above the pass to a higher one to be an object of its own.
struct Rise {
  float least = 0;  // in units of height
  float share = 0;  // of its height
};

// A region divided among the summits of a landscape: each pixel belongs to the one that its steepest neighbour does. A
// summit that rises by less than that above the pass to a higher one belongs to that. (Watershed with merging by
// persistence: Edelsbrunner, Letscher and Zomorodian 2002.)
class Basins {
 public:
  Basins(std::span<const float> height, int width, int connectivity, const Rise& rise)
      : height_(height), width_(width), connectivity_(connectivity), rise_(rise), towards_(height.size(), none) {}

  std::vector<int32_t> of(const std::vector<uint8_t>& region) {
    std::vector<int32_t> places;
    for (size_t i = 0; i < region.size(); ++i) {
      if (region[i] != 0) places.push_back(static_cast<int32_t>(i));
    }
    std::sort(places.begin(), places.end(), [&](int32_t a, int32_t b) { return is_higher(a, b); });
    for (const int32_t place : places) flood(place);
    std::vector<int32_t> numbers(region.size()), number_of(region.size());
    int32_t most = 0;
    for (size_t i = 0; i < region.size(); ++i) {
      if (region[i] == 0) continue;
      int32_t& number = number_of[static_cast<size_t>(summit(static_cast<int32_t>(i)))];
      if (number == 0) number = ++most;
      numbers[i] = number;
    }
    return numbers;
  }

 private:
  static constexpr int32_t none = -1;

  float height(int32_t place) const { return height_[static_cast<size_t>(place)]; }
  int32_t& towards(int32_t place) { return towards_[static_cast<size_t>(place)]; }
  // Of two equal ones, the first in the picture.
  bool is_higher(int32_t a, int32_t b) const { return std::pair(-height(a), a) < std::pair(-height(b), b); }

  int32_t summit(int32_t place) {
    while (towards(place) != place) place = towards(place) = towards(towards(place));
    return place;
  }

  // Neighbours that have been flooded, which are higher.
  template <typename Visit>
  void each_neighbour(int32_t place, const Visit& visit) {
    const int x = place % width_, y = place / width_, rows = static_cast<int>(height_.size()) / width_;
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        if ((dx == 0 && dy == 0) || (connectivity_ == 4 && dx != 0 && dy != 0)) continue;
        if (x + dx < 0 || x + dx >= width_ || y + dy < 0 || y + dy >= rows) continue;
        if (const int32_t at = place + dy * width_ + dx; towards(at) != none) visit(at);
      }
    }
  }

  void flood(int32_t place) {
    int32_t steepest = none;
    each_neighbour(place, [&](int32_t at) {
      if (steepest == none || is_higher(at, steepest)) steepest = at;
    });
    towards(place) = steepest == none ? place : summit(steepest);
    each_neighbour(place, [&](int32_t at) {
      int32_t low = summit(place), high = summit(at);
      if (low == high) return;
      if (is_higher(low, high)) std::swap(low, high);
      if (height(low) - height(place) < std::max(rise_.least, rise_.share * height(low))) towards(low) = high;
    });
  }

  const std::span<const float> height_;
  const int width_, connectivity_;
  const Rise rise_;
  std::vector<int32_t> towards_;  // of each flooded pixel one of its basin that is nearer to the summit, or itself
};

// By distances that were measured, in pixels: edges are rough.
std::vector<int32_t> basins(const std::vector<float>& distance, const std::vector<uint8_t>& region, int width,
                            int connectivity) {
  return Basins(distance, width, connectivity, {0.75f, 0.1f}).of(region);
}

std::vector<int32_t> components(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  return connected(above(maps.foreground(), threshold), maps.width, maps.height, rules.connectivity);
}

// How far each pixel of a region is from the nearest outside, pixels; that lies in its own piece of foreground, or in
// the background around it. The picture's edge is not outside: an object that it cuts is not thinner there.
std::vector<float> distances(const std::vector<uint8_t>& region, int width, int height) {
  std::vector<float> values(region.size());
  const cv::Mat mask(height, width, CV_8UC1, const_cast<uint8_t*>(region.data()));
  cv::Mat distance(height, width, CV_32F, values.data());
  cv::distanceTransform(mask, distance, cv::DIST_L2, cv::DIST_MASK_5);
  return values;
}

std::vector<int32_t> by_distance(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const auto region = above(maps.foreground(), threshold);
  return basins(distances(region, maps.width, maps.height), region, maps.width, rules.connectivity);
}

// How much each pixel is inside of an object, by a target that was learned for it, and what exceeds the seed threshold.
struct Inside {
  std::vector<uint8_t> region, seeds;
  std::vector<uint8_t> levels;  // [0, 1] in 255 parts
};
Inside inside_of(const PixelMaps& maps, double threshold, double seed_threshold, TargetKind target) {
  const auto foreground = maps.foreground(),
             learned = maps.plane(static_cast<size_t>(channel_of(maps.targets, target)));
  Inside inside{above(foreground, threshold), std::vector<uint8_t>(foreground.size()),
                std::vector<uint8_t>(foreground.size())};
  for (size_t i = 0; i < foreground.size(); ++i) {
    const float value = std::clamp(target == TargetKind::border ? foreground[i] - learned[i] : learned[i], 0.0f, 1.0f);
    inside.seeds[i] = inside.region[i] != 0 && value > static_cast<float>(seed_threshold);
    inside.levels[i] = static_cast<uint8_t>(value * 255);
  }
  return inside;
}

// By what was learned of how far inside a pixel is, in [0, 1].
template <TargetKind target>
std::vector<int32_t> hills(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const auto learned = maps.plane(static_cast<size_t>(channel_of(maps.targets, target)));
  const Rise rise{1.0f / 32, static_cast<float>(rules.seed_threshold)};
  return Basins(learned, maps.width, rules.connectivity, rise).of(above(maps.foreground(), threshold));
}

template <TargetKind target>
std::vector<int32_t> seeded_watershed(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const Inside inside = inside_of(maps, threshold, rules.seed_threshold, target);
  return grown(connected(inside.seeds, maps.width, maps.height, rules.connectivity), inside.levels, inside.region,
               maps.width, maps.height, rules.connectivity);
}

template <TargetKind target>
std::vector<int32_t> seeds_by_distance(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const Inside inside = inside_of(maps, threshold, rules.seed_threshold, target);
  const auto seeds =
      basins(distances(inside.seeds, maps.width, maps.height), inside.seeds, maps.width, rules.connectivity);
  return grown(seeds, inside.levels, inside.region, maps.width, maps.height, rules.connectivity);
}

std::vector<int32_t> by_directions(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const auto region = above(maps.foreground(), threshold);
  const Rise rise{0.6f, static_cast<float>(rules.seed_threshold)};
  return Basins(surface_of(maps, region), maps.width, rules.connectivity, rise).of(region);
}

OpenTable<NamedDecoder>& table() {
  static OpenTable<NamedDecoder> all("decoder", {{"components", components},
                                                 {"distance", by_distance},
                                                 {"directions", by_directions},
                                                 {"watershed", seeded_watershed<TargetKind::border>},
                                                 {"border_distance", seeds_by_distance<TargetKind::border>},
                                                 {"interior", seeded_watershed<TargetKind::interior>},
                                                 {"interior_distance", seeds_by_distance<TargetKind::interior>},
                                                 {"interior_hills", hills<TargetKind::interior>},
                                                 {"hills", hills<TargetKind::distance>},
                                                 {"hilltops", seeded_watershed<TargetKind::distance>}});
  return all;
}

}  // namespace

const std::vector<NamedDecoder>& decoders() { return table().rows(); }

void add_row(NamedDecoder decoder) { table().add(std::move(decoder)); }

void require_decodable(const std::vector<std::string>& targets, const InstanceRules& rules) {
  PENSTOCK_CHECK(rules.connectivity == 4 || rules.connectivity == 8, "pixels are connected by 4 or 8 neighbours");
  PENSTOCK_CHECK(can_decode(decoder_rule(rules.decoder), targets), "a decoder gets the targets that it needs");
}

}  // namespace penstock::stages
