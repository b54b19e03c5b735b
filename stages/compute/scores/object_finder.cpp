#include "stages/compute/scores/object_finder.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "distributed/check.h"
#include "stages/compute/scores/hole_filling.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

constexpr int cell = 512;  // pieces whose upper left corners lie in one square of this side are decoded together
constexpr int largest_small = 256;  // a piece with a longer side is decoded by itself

// Objects of a group while their pixels are gathered.
struct Gathered {
  FoundObject object;
  std::vector<ObjectRun> runs;
};

// Pixels [begin, end) of a run belong to the object; `probabilities` are those of the run from `begin` on.
void add_pixels(Gathered& to, int y, int begin, int end, const float* probabilities) {
  const int64_t length = end - begin;
  to.runs.push_back({static_cast<uint16_t>(y), static_cast<uint16_t>(begin), static_cast<uint16_t>(length)});
  to.object.area += length;
  to.object.x += (int64_t{begin} + end - 1) * length / 2;
  to.object.y += int64_t{y} * length;
  for (int64_t i = 0; i < length; ++i) to.object.probability += probabilities[i];
}

}  // namespace

// A part of the picture: that around some pieces.
struct ObjectFinder::Crop {
  int left = 0, top = 0, right = 0, bottom = 0;

  int width() const { return right - left; }
  size_t place(int x, int y) const { return static_cast<size_t>(y - top) * width() + (x - left); }
};

ObjectFinder::ObjectFinder(int width, int height, std::vector<std::string> targets, double threshold,
                           const InstanceRules& rules)
    : width_(width),
      height_(height),
      targets_(std::move(targets)),
      threshold_(threshold),
      rules_(rules),
      open_(width, static_cast<int>(targets_.size()), static_cast<float>(threshold)) {
  PENSTOCK_CHECK(width > 0 && height > 0 && width <= static_cast<int>(max_side) && height <= static_cast<int>(max_side),
                 "objects are found in a picture that has a size");
  require_decodable(targets_, rules);
  found_.width = width, found_.height = height;
}

void ObjectFinder::add_row(std::span<const float> values) {
  PENSTOCK_CHECK(rows_ < height_, "a picture has as many rows as it says");
  std::vector<Piece> complete = open_.add_row(values);
  std::move(complete.begin(), complete.end(), std::back_inserter(waiting_));
  ++rows_;
  if (rows_ % cell == 0) decode_ready();
}

FoundObjects ObjectFinder::finish() {
  PENSTOCK_CHECK(rows_ == height_, "objects are complete after the last row");
  std::vector<Piece> last = open_.finish();
  std::move(last.begin(), last.end(), std::back_inserter(waiting_));
  decode_ready();
  if (rules_.fill_holes) fill_holes(found_);
  std::erase_if(found_.objects, [this](const FoundObject& object) { return object.area < rules_.minimum_area; });
  const auto& runs = found_.runs;
  std::sort(found_.objects.begin(), found_.objects.end(), [&](const FoundObject& a, const FoundObject& b) {
    const ObjectRun &first = runs[a.first_run], &second = runs[b.first_run];
    return std::pair(first.y, first.begin) < std::pair(second.y, second.begin);
  });
  return std::move(found_);
}

size_t ObjectFinder::held_pixels() const {
  size_t pixels = open_.open_pixels();
  for (const Piece& piece : waiting_) pixels += piece.pixels;
  return pixels;
}

void ObjectFinder::decode_ready() {
  std::map<std::pair<int, int>, std::vector<Piece>> groups;
  std::vector<Piece> alone(1);
  for (Piece& piece : std::exchange(waiting_, {})) {
    if (std::max(piece.right - piece.left, piece.bottom - piece.top) <= largest_small) {
      groups[{piece.top / cell, piece.left / cell}].push_back(std::move(piece));
    } else {
      alone.front() = std::move(piece);
      decode(alone);
    }
  }
  for (auto& [where, pieces] : groups) decode(std::exchange(pieces, {}));
}

void ObjectFinder::decode(const std::vector<Piece>& pieces) {
  Crop crop{width_, height_, 0, 0};
  for (const Piece& piece : pieces) {
    crop.left = std::min(crop.left, piece.left), crop.top = std::min(crop.top, piece.top);
    crop.right = std::max(crop.right, piece.right), crop.bottom = std::max(crop.bottom, piece.bottom);
  }
  // With the background around them, but for the picture's edges.
  crop = {std::max(crop.left - 1, 0), std::max(crop.top - 1, 0), std::min(crop.right + 1, width_),
          std::min(crop.bottom + 1, height_)};
  const PixelMaps maps = maps_of(pieces, crop);
  const auto numbers = row_of(decoders(), "decoder", rules_.decoder).function(maps, threshold_, rules_);
  add_objects(pieces, crop, numbers);
}

// The pieces' probabilities; other foreground is left out.
PixelMaps ObjectFinder::maps_of(const std::vector<Piece>& pieces, const Crop& crop) const {
  PixelMaps maps{crop.width(), crop.bottom - crop.top, targets_, {}};
  const size_t plane = maps.pixels();
  maps.values.resize(plane * targets_.size());
  for (const Piece& piece : pieces) {
    for (const Piece::Run& run : piece.runs) {
      for (size_t p = 0; p < targets_.size(); ++p)
        std::copy_n(&piece.values[run.values + p * run.length], run.length,
                    maps.values.begin() + p * plane + crop.place(run.begin, run.y));
    }
  }
  return maps;
}

void ObjectFinder::add_objects(const std::vector<Piece>& pieces, const Crop& crop, std::span<const int32_t> numbers) {
  const auto most = static_cast<size_t>(*std::max_element(numbers.begin(), numbers.end()));
  std::vector<Gathered> gathered(most + 1);
  for (const Piece& piece : pieces) {
    for (const Piece::Run& run : piece.runs) {
      const int32_t* number = &numbers[crop.place(run.begin, run.y)];
      for (int from = 0, to = 0; from < run.length; from = to) {
        PENSTOCK_CHECK(number[from] > 0, "a decoder gives all foreground to an object");
        while (to < run.length && number[to] == number[from]) ++to;
        add_pixels(gathered[static_cast<size_t>(number[from])], run.y, run.begin + from, run.begin + to,
                   &piece.values[run.values + from]);
      }
    }
  }
  for (Gathered& one : gathered) {
    if (one.runs.empty()) continue;
    one.object.first_run = found_.runs.size(), one.object.runs = one.runs.size();
    found_.runs.insert(found_.runs.end(), one.runs.begin(), one.runs.end());
    found_.objects.push_back(one.object);
  }
}

FoundObjects find_objects(const PixelMaps& maps, double threshold, const InstanceRules& rules) {
  PENSTOCK_CHECK(maps.values.size() == maps.pixels() * maps.targets.size(), "a map has a value a pixel and target");
  ObjectFinder finder(maps.width, maps.height, maps.targets, threshold, rules);
  const auto width = static_cast<size_t>(maps.width);
  std::vector<float> row(width * maps.targets.size());
  for (int y = 0; y < maps.height; ++y) {
    for (size_t p = 0; p < maps.targets.size(); ++p)
      std::copy_n(&maps.plane(p)[static_cast<size_t>(y) * width], width, row.begin() + p * width);
    finder.add_row(row);
  }
  return finder.finish();
}

}  // namespace penstock::stages
