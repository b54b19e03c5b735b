#include "stages/compute/step/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "distributed/check.h"
#include "stages/arithmetic/device_arithmetic.h"
#include "stages/compute/step/changed_rows.h"
#include "stages/draws.h"

namespace penstock::stages {

std::vector<int> epoch_order(const std::vector<std::string>& ids, int64_t seed, int64_t epoch,
                             const std::vector<int>& numbers) {
  PENSTOCK_CHECK(numbers.empty() || numbers.size() == ids.size(), "each crop has its number, or none has");
  std::vector<std::pair<uint64_t, int>> keyed;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Draws draws = crop_draws(seed, "order", epoch, ids[i], numbers.empty() ? 0 : numbers[i]);
    keyed.emplace_back(draws.bits(0), static_cast<int>(i));
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<int> order;
  for (const auto& [key, index] : keyed) order.push_back(index);
  return order;
}

std::vector<int> micro_shard(const std::vector<int>& order, int64_t step, int64_t shard, int64_t global_batch,
                             int64_t micro_batch) {
  PENSTOCK_CHECK(
      !order.empty() && step >= 0 && shard >= 0 && micro_batch > 0 && (shard + 1) * micro_batch <= global_batch,
      fmt::format("a micro-shard lies within its step: shard {} of {} samples, of a step of {}", shard, micro_batch,
                  global_batch));
  std::vector<int> chosen;
  for (int64_t i = 0; i < micro_batch; ++i) {
    chosen.push_back(order[static_cast<size_t>(step * global_batch + shard * micro_batch + i) % order.size()]);
  }
  return chosen;
}

namespace {

void check_batch(const Batch& batch, size_t rows, const InputShape& input) {
  const auto fits = [&](const torch::Tensor& values, int64_t channels) {
    return values.dim() == 4 && values.size(0) >= static_cast<int64_t>(rows) && values.size(1) == channels &&
           values.size(2) == input.height && values.size(3) == input.width && values.is_contiguous() &&
           values.scalar_type() == torch::kFloat32 && values.is_cpu();
  };
  PENSTOCK_CHECK(fits(batch.images, input.channels) && fits(batch.targets, batch.kinds.count),
                 "a batch is contiguous float32 on the CPU, of the input's size, with a row for each sample");
}

// What each line and column of a window shows of its sample.
void lines_of_window(std::vector<size_t>& lines, int begin, int size) {
  for (size_t i = 0; i < lines.size(); ++i) lines[i] = static_cast<size_t>(mirrored(begin + static_cast<int>(i), size));
}

// One row of a batch, whose planes begin at `images` and `targets`.
class RowWriter {
 public:
  RowWriter(const StepSamples& data, const TargetList& kinds)
      : data_(data),
        input_(data.input()),
        kinds_(kinds),
        tables_(static_cast<size_t>(input_.channels)),
        lines_(static_cast<size_t>(input_.height)),
        columns_(static_cast<size_t>(input_.width)),
        objects_(static_cast<size_t>(input_.height) * static_cast<size_t>(input_.width)),
        shown_(static_cast<size_t>(input_.width)),
        changed_(data) {}

  void write(const BatchRow& row, const SampleLook& look, float* images, float* targets) {
    const GridSample& sample = data_.samples()[static_cast<size_t>(row.sample)];
    const bool changes = row.change.active != 0;
    image_ = {look.pixels.image, input_.bits};
    changes ? changed_.begin(row, look) : begin(row, sample, look);
    for (int y = 0; y < input_.height; ++y) {
      changes ? changed_.line(y, images, shown_.data()) : line(y, row, sample, images);
      uint16_t* objects = &objects_[static_cast<size_t>(y) * shown_.size()];
      for (size_t x = 0; x < shown_.size(); ++x) objects[x] = look.pixels.object_at(shown_[x]);
    }
    if (changes) changed_.finish(images);
    for (int t = 0; t < kinds_.count; ++t)
      write_target(kinds_.targets[t], targets + static_cast<size_t>(t) * objects_.size());
  }

 private:
  void begin(const BatchRow& row, const GridSample& sample, const SampleLook& look) {
    for (int c = 0; c < input_.channels; ++c) tables_[static_cast<size_t>(c)] = data_.normaliser().table(look.range, c);
    lines_of_window(lines_, row.top, sample.height);
    lines_of_window(columns_, row.left, sample.width);
  }

  // Line y of all channels, and the pixels that it shows.
  void line(int y, const BatchRow& row, const GridSample& sample, float* images) {
    const auto turn = static_cast<uint8_t>(row.orientation);
    for (int x = 0; x < input_.width; ++x) {
      const PixelPlace at = turned(y, x, input_.height, input_.width, turn);
      shown_[static_cast<size_t>(x)] =
          lines_[static_cast<size_t>(at.y)] * static_cast<size_t>(sample.width) + columns_[static_cast<size_t>(at.x)];
    }
    const size_t pixels = static_cast<size_t>(input_.height) * shown_.size();
    image_.with([&](const auto* image) {
      size_t to = static_cast<size_t>(y) * shown_.size();
      for (const size_t from : shown_) {
        const auto* pixel = image + from * tables_.size();
        for (size_t c = 0; c < tables_.size(); ++c) images[c * pixels + to] = shown_value(tables_[c].data(), pixel[c]);
        ++to;
      }
    });
  }

  void write_target(const Target& target, float* plane) const {
    if (target.kind == TargetKind::border) return write_border(target.radius, plane);
    if (target.kind == TargetKind::interior) return write_interior(target.radius, plane);
    if (target.kind == TargetKind::distance) return write_distance(target.radius, plane);
    if (target.kind == TargetKind::horizontal) return write_along(input_.width, 1, input_.height, plane);
    if (target.kind == TargetKind::vertical) return write_along(input_.height, input_.width, input_.width, plane);
    if (target.kind == TargetKind::nearness) return write_nearness(target.radius, plane);
    if (target.kind == TargetKind::own) return write_own(own_target(target), plane);
    const auto object_at = [this](int y, int x) { return objects_[static_cast<size_t>(y * input_.width + x)]; };
    for (int y = 0; y < input_.height; ++y) {
      for (int x = 0; x < input_.width; ++x)
        *plane++ = target_value(target, y, x, input_.height, input_.width, object_at);
    }
  }

  void write_own(const TargetRule& rule, float* plane) const {
    const ObjectMap map{objects_.data(), input_.height, input_.width};
    for (int y = 0; y < input_.height; ++y) {
      for (int x = 0; x < input_.width; ++x) *plane++ = rule.own(map, y, x);
    }
  }

  // What target_value() says of each pixel, at a cost that does not grow with the radius: a window holds two objects
  // where the smallest and the largest in it differ. Both filters leave out what lies beyond the piece.
  void write_border(int radius, float* plane) const {
    const cv::Mat objects = shown_objects(), window = window_of(radius);
    cv::Mat smallest, largest;
    cv::dilate(objects, largest, window);
    objects.copyTo(smallest);
    smallest.setTo(std::numeric_limits<uint16_t>::max(), objects == 0);
    cv::erode(smallest, smallest, window);
    const size_t pixels = objects_.size();
    for (size_t i = 0; i < pixels; ++i) {
      const uint16_t high = largest.ptr<uint16_t>()[i];
      plane[i] = high != 0 && smallest.ptr<uint16_t>()[i] != high ? 1.0f : 0.0f;
    }
  }

  // Likewise: a window lies in one object where the smallest in it, with the background as 0, is the largest.
  void write_interior(int radius, float* plane) const {
    const cv::Mat objects = shown_objects(), window = window_of(radius);
    cv::Mat smallest, largest;
    cv::dilate(objects, largest, window);
    cv::erode(objects, smallest, window);
    const size_t pixels = objects_.size();
    for (size_t i = 0; i < pixels; ++i) {
      const uint16_t low = smallest.ptr<uint16_t>()[i];
      plane[i] = low != 0 && largest.ptr<uint16_t>()[i] == low ? 1.0f : 0.0f;
    }
  }

  // Likewise: a pixel is as far inside as it is interior of ever larger windows.
  void write_distance(int limit, float* plane) const {
    const cv::Mat objects = shown_objects(), window = window_of(1);
    cv::Mat smallest = objects.clone(), largest = objects.clone();
    std::vector<int> steps(objects_.size());
    for (int radius = 0; radius < limit; ++radius) {
      if (radius > 0) cv::dilate(largest, largest, window), cv::erode(smallest, smallest, window);
      const uint16_t *low = smallest.ptr<uint16_t>(), *high = largest.ptr<uint16_t>();
      for (size_t i = 0; i < steps.size(); ++i) steps[i] += low[i] != 0 && low[i] == high[i] ? 1 : 0;
    }
    for (size_t i = 0; i < steps.size(); ++i) plane[i] = static_cast<float>(steps[i]) / static_cast<float>(limit);
  }

  // Likewise: the two nearest objects of a pixel are among the two nearest of each column, above or below its line.
  void write_nearness(int sigma, float* plane) const {
    const int width = input_.width, reach = 3 * sigma;
    const std::vector<NearestTwo> columns = nearest_in_columns();
    for (size_t begin = 0; begin < columns.size(); begin += static_cast<size_t>(width)) {
      const NearestTwo* line = &columns[begin];
      for (int x = 0; x < width; ++x) {
        NearestTwo nearest = line[x];
        const auto meet = [&nearest](const NearestTwo& others, int across) {
          for (int k = 0; k < 2 && others.object[k] != 0; ++k)
            nearest.meet(others.object[k], others.square[k] + across);
        };
        // No pixel of a column that is `across` away is nearer than that.
        for (int across = 1; across <= reach && across * across < nearest.square[1]; ++across) {
          if (x >= across) meet(line[x - across], across * across);
          if (x + across < width) meet(line[x + across], across * across);
        }
        *plane++ = nearness_of(sigma, nearest);
      }
    }
  }

  // Of each pixel, the two nearest objects in its column: once downwards and once upwards, with the two objects that
  // were met last.
  std::vector<NearestTwo> nearest_in_columns() const {
    struct LastMet {
      uint16_t object[2] = {0, 0};
      int line[2] = {0, 0};
    };
    const auto width = static_cast<size_t>(input_.width);
    std::vector<NearestTwo> nearest(objects_.size());
    for (const bool down : {true, false}) {
      std::vector<LastMet> last(width);
      for (int i = 0; i < input_.height; ++i) {
        const int y = down ? i : input_.height - 1 - i;
        for (size_t x = 0; x < width; ++x) {
          const size_t at = static_cast<size_t>(y) * width + x;
          LastMet& met = last[x];
          const uint16_t object = objects_[at];
          if (object != 0 && object != met.object[0]) {
            met.object[1] = met.object[0], met.line[1] = met.line[0];
            met.object[0] = object;
          }
          if (object != 0) met.line[0] = y;
          for (int k = 0; k < 2 && met.object[k] != 0; ++k)
            nearest[at].meet(met.object[k], (met.line[k] - y) * (met.line[k] - y));
        }
      }
    }
    return nearest;
  }

  // Likewise, run by run: `lines` of `length` pixels, the next of which is `step` further.
  void write_along(int length, int step, int lines, float* plane) const {
    const int next_line = step == 1 ? length : 1;
    for (int line = 0; line < lines; ++line) {
      const auto at = [&](int i) { return static_cast<size_t>(line * next_line + i * step); };
      for (int first = 0, last = 0; first < length; first = last) {
        const uint16_t object = objects_[at(first)];
        while (last < length && objects_[at(last)] == object) ++last;
        for (int i = first; i < last; ++i) {
          plane[at(i)] = object == 0 ? 0.5f : (static_cast<float>(i - first) + 0.5f) / static_cast<float>(last - first);
        }
      }
    }
  }

  cv::Mat shown_objects() const {
    return {input_.height, input_.width, CV_16UC1, const_cast<uint16_t*>(objects_.data())};
  }
  static cv::Mat window_of(int radius) { return cv::Mat::ones(2 * radius + 1, 2 * radius + 1, CV_8UC1); }

  const StepSamples& data_;
  const InputShape input_;
  const TargetList kinds_;
  PixelValues image_{std::span<const uint8_t>()};  // of the row's sample
  std::vector<std::array<float, 256>> tables_;     // what each byte of a channel becomes
  std::vector<size_t> lines_, columns_;            // of the sample, that the window shows
  std::vector<uint16_t> objects_;                  // of each pixel of the piece
  std::vector<size_t> shown_;                      // of the sample, the pixel that each of a line shows
  ChangedRows changed_;
};

}  // namespace

Batch make_batch(int64_t count, const InputShape& input, const TargetList& kinds) {
  return {torch::empty({count, input.channels, input.height, input.width}),
          torch::empty({count, kinds.count, input.height, input.width}), kinds};
}

void fill_batch(Batch& batch, const StepSamples& data, std::span<const BatchRow> rows,
                std::span<const SampleLook> looks) {
  PENSTOCK_CHECK(looks.empty() || looks.size() == rows.size(), "each row's sample is looked at, or none");
  const InputShape& input = data.input();
  check_batch(batch, rows.size(), input);
  const size_t pixels = static_cast<size_t>(input.height) * static_cast<size_t>(input.width);
  RowWriter writer(data, batch.kinds);
  for (size_t n = 0; n < rows.size(); ++n) {
    PENSTOCK_CHECK((rows[n].orientation & transpose_bit) == 0 || input.height == input.width,
                   "only a square piece is turned by a quarter");
    PENSTOCK_CHECK(rows[n].sample >= 0 && static_cast<size_t>(rows[n].sample) < data.samples().size(),
                   "a row of a batch is of one of the samples");
    writer.write(rows[n], looks.empty() ? data.look(rows[n].sample) : looks[n],
                 batch.images.data_ptr<float>() + n * pixels * static_cast<size_t>(input.channels),
                 batch.targets.data_ptr<float>() + n * pixels * static_cast<size_t>(batch.kinds.count));
  }
}

}  // namespace penstock::stages
