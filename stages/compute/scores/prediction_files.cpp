#include "stages/compute/scores/prediction_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "distributed/check.h"
#include "stages/images/label_tiff.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_in_16_bits = std::numeric_limits<uint16_t>::max();

std::span<const uint8_t> bytes_of(std::span<const uint16_t> values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()};
}

void write_labels(const fs::path& file, const FoundObjects& found) {
  if (found.objects.size() > most_in_16_bits) {
    LabelTiff tiff(fs::path(file).replace_extension(".tif"), found.width, found.height);
    each_label_row(found, [&](int, std::span<const uint32_t> labels) { tiff.add_row(labels); });
    tiff.commit();
    return;
  }
  pipeline::FileWriter out(file);
  PngWriter png({found.width, found.height, 1, 16}, [&out](std::string_view bytes) { out.write(bytes); });
  std::vector<uint16_t> narrow(static_cast<size_t>(found.width));
  each_label_row(found, [&](int, std::span<const uint32_t> labels) {
    std::transform(labels.begin(), labels.end(), narrow.begin(),
                   [](uint32_t label) { return static_cast<uint16_t>(label); });
    png.add_row(bytes_of(narrow));
  });
  png.finish();
  out.commit();
}

// The image's colours with the outlines of the objects: pixels whose right or lower neighbour, or left or upper,
// belongs to something else. Rows of labels come in; a row of the picture goes out when the one below it is known.
class Overlay {
 public:
  Overlay(const fs::path& file, int width, int height, const Image* shown)
      : width_(width),
        shown_(shown),
        file_(file),
        png_({width, height, 3, 8}, [this](std::string_view bytes) { file_.write(bytes); }) {
    for (auto& labels : labels_) labels.assign(static_cast<size_t>(width), 0);
    if (shown != nullptr) range_.emplace(*shown);
  }

  void add_row(std::span<const uint32_t> labels) {
    std::copy(labels.begin(), labels.end(), below().begin());
    if (rows_++ > 0) draw();
    std::rotate(labels_.begin(), labels_.begin() + 1, labels_.end());
  }
  void finish() {
    std::fill(below().begin(), below().end(), 0u);
    draw();
    png_.finish();
    file_.commit();
  }

 private:
  std::vector<uint32_t>& above() { return labels_[0]; }
  std::vector<uint32_t>& current() { return labels_[1]; }
  std::vector<uint32_t>& below() { return labels_[2]; }

  // Beyond the picture lies something else than any object: 0.
  bool on_edge(size_t x) {
    const uint32_t own = current()[x];
    return own != 0 && (x == 0 || x + 1 == current().size() || current()[x - 1] != own || current()[x + 1] != own ||
                        above()[x] != own || below()[x] != own);
  }

  void draw() {
    Image row{width_, 1, 3, 8, std::vector<uint8_t>(static_cast<size_t>(width_) * 3)};
    if (shown_ != nullptr) {
      const size_t bytes = static_cast<size_t>(width_) * shown_->channels * static_cast<size_t>(shown_->bits / 8);
      const PixelValues own(std::span(shown_->bytes).subspan(bytes * drawn_, bytes), shown_->bits);
      row = to_channels(to_shown({width_, 1, shown_->channels, 8, range_->bytes(own), shown_->measured}), 3);
    }
    ++drawn_;
    for (size_t x = 0; x < static_cast<size_t>(width_); ++x) {
      if (on_edge(x)) row.bytes[3 * x] = 255, row.bytes[3 * x + 1] = 60, row.bytes[3 * x + 2] = 200;
    }
    png_.add_row(row.bytes);
  }

  int width_;
  const Image* shown_;
  std::optional<ShownRange> range_;  // where there is a picture
  size_t rows_ = 0, drawn_ = 0;
  std::array<std::vector<uint32_t>, 3> labels_;
  pipeline::FileWriter file_;
  PngWriter png_;
};

}  // namespace

PredictionFiles::PredictionFiles(const fs::path& folder, const std::string& id, int width, int height)
    : folder_(folder),
      id_(id),
      width_(width),
      height_(height),
      row_(static_cast<size_t>(width)),
      file_(folder / "probability" / (id + ".png")),
      probability_({width, height, 1, 8}, [this](std::string_view bytes) { file_.write(bytes); }) {}

void PredictionFiles::add_probability(std::span<const float> foreground) {
  PENSTOCK_CHECK(foreground.size() == row_.size(), "a row has a probability a pixel");
  std::transform(foreground.begin(), foreground.end(), row_.begin(),
                 [](float value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255)); });
  probability_.add_row(row_);
}

void PredictionFiles::finish(const FoundObjects& found, const Image* shown) {
  PENSTOCK_CHECK(found.width == width_ && found.height == height_ &&
                     (shown == nullptr || (shown->width == width_ && shown->height == height_)),
                 "objects and image are of the prediction's size");
  probability_.finish();
  file_.commit();
  const fs::path labels = folder_ / "labels" / (id_ + ".png");
  for (const char* extension : {".png", ".tif"}) fs::remove(fs::path(labels).replace_extension(extension));
  write_labels(labels, found);
  Overlay overlay(folder_ / "overlays" / (id_ + ".png"), width_, height_, shown);
  each_label_row(found, [&](int, std::span<const uint32_t> row) { overlay.add_row(row); });
  overlay.finish();
}

fs::path labels_file(const fs::path& folder, const std::string& id) {
  for (const char* extension : {".png", ".tif"}) {
    const fs::path file = folder / "labels" / (id + extension);
    if (fs::exists(file)) return file;
  }
  return {};
}

}  // namespace penstock::stages
