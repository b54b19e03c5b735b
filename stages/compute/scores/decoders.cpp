#include "stages/compute/scores/decoders.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

#include "distributed/check.h"
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

std::vector<int32_t> components(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  return connected(above(maps.foreground(), threshold), maps.width, maps.height, rules.connectivity);
}

constexpr double smoothing = 1.5;  // of the distance, pixels
constexpr int apart = 4;           // seeds, pixels
// Whether a pixel is a seed depends on the smoothed distance `apart` around it, that on the distance 6 further around
// (a kernel of 13 pixels). There the distance of other foreground is less than 15, for background lies between: it
// depends on what is within 15 pixels more.
constexpr int reach_of_distance = 32;
static_assert(reach_of_distance > apart + 6 + 15);

// Seeds: the highest places of the smoothed distance to the background, at least `apart` pixels from a higher one.
std::vector<int32_t> by_distance(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const auto region = above(maps.foreground(), threshold);
  // The picture's edge is no background: an object that it cuts is not thinner there.
  cv::Mat mask(maps.height, maps.width, CV_8UC1, const_cast<uint8_t*>(region.data())), distance, highest;
  cv::distanceTransform(mask, distance, cv::DIST_L2, cv::DIST_MASK_5);
  cv::GaussianBlur(distance, distance, cv::Size(0, 0), smoothing);
  cv::dilate(distance, highest, cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(2 * apart + 1, 2 * apart + 1)));
  std::vector<uint8_t> peaks(region.size()), levels(region.size());
  const auto* d = distance.ptr<float>();
  const auto* h = highest.ptr<float>();
  for (size_t i = 0; i < region.size(); ++i) {
    peaks[i] = region[i] != 0 && d[i] >= h[i];
    levels[i] = static_cast<uint8_t>(std::min(255.0f, 4 * d[i]));
  }
  return grown(connected(peaks, maps.width, maps.height, 8), levels, region, maps.width, maps.height,
               rules.connectivity);
}

std::vector<int32_t> seeded_watershed(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  const int border = channel_of(maps.targets, TargetKind::border);
  const auto foreground = maps.foreground(), edge = maps.plane(static_cast<size_t>(border));
  const auto region = above(foreground, threshold);
  std::vector<float> inside(region.size());
  std::vector<uint8_t> seeds(region.size()), levels(region.size());
  for (size_t i = 0; i < region.size(); ++i) {
    inside[i] = std::clamp(foreground[i] - edge[i], 0.0f, 1.0f);
    seeds[i] = region[i] != 0 && inside[i] > static_cast<float>(rules.seed_threshold);
    levels[i] = static_cast<uint8_t>(inside[i] * 255);
  }
  return grown(connected(seeds, maps.width, maps.height, rules.connectivity), levels, region, maps.width, maps.height,
               rules.connectivity);
}

}  // namespace

const std::vector<NamedDecoder>& decoders() {
  static const std::vector<NamedDecoder> all = {
      {"components", components}, {"distance", by_distance, reach_of_distance}, {"watershed", seeded_watershed}};
  return all;
}

void require_decodable(const std::vector<std::string>& targets, const InstanceRules& rules) {
  PENSTOCK_CHECK(rules.connectivity == 4 || rules.connectivity == 8, "pixels are connected by 4 or 8 neighbours");
  const std::string& needed = decoder_rule(rules.decoder).target;
  PENSTOCK_CHECK(needed.empty() || std::count(targets.begin(), targets.end(), needed) > 0,
                 "a decoder gets the targets that it needs");
}

}  // namespace penstock::stages
