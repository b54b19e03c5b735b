#include "stages/survey.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <set>

#include "distributed/error.h"
#include "stages/arithmetic/device_arithmetic.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/images/appearance.h"
#include "stages/images/image_codec.h"
#include "stages/images/picture.h"
#include "stages/images/pixel_values.h"
#include "stages/packs/data_summary.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

class Survey {
 public:
  explicit Survey(const SurveyRequest& request)
      : archives_(open_archives(request.input, {})), catalogue_(make_catalogue(archives_, request.patterns)) {
    const auto order = [](const CataloguedSample* sample) { return pipeline::digest_of(sample->id); };
    for (const CataloguedSample& sample : catalogue_.samples) chosen_.push_back(&sample);
    std::stable_sort(chosen_.begin(), chosen_.end(), [&](const auto* a, const auto* b) { return order(a) < order(b); });
    if (chosen_.size() > static_cast<size_t>(request.most)) chosen_.resize(static_cast<size_t>(request.most));
  }

  Value look() {
    choose_page();
    const auto masks = decide();
    for (const CataloguedSample* sample : chosen_) look_at(*sample, masks);
    Value found = {
        {"layout", catalogue_.described()},
        {"left_over", catalogue_.left_over_described()},
        {"samples", catalogue_.samples.size()},
        {"labelled", std::count_if(catalogue_.samples.begin(), catalogue_.samples.end(),
                                   [](const auto& sample) { return !sample.masks.empty(); })},
        {"subsets", Value::object()},
        {"looked_at", chosen_.size()},
        {"sides", sides_},
        {"channels", channels_},
        {"bits", bits_},
        {"colour", looks_.value("stained", 0.0) / static_cast<double>(chosen_.size())},
        {"looks", looks_},
        {"page", page_ == PageChoice() ? "only" : "max"},
        {"masks", masks ? Value{{"meaning", name_of(masks->rule.meaning)}, {"why", masks->why}} : Value()},
        {"objects", median_of(objects_)},
        {"diameter", 2 * std::sqrt(static_cast<double>(median_of(areas_)) / std::numbers::pi)},
        {"touching", areas_.empty() ? 0 : static_cast<double>(touching_) / static_cast<double>(areas_.size())},
        {"dim", deep_objects_ == 0 ? 0 : static_cast<double>(dim_) / static_cast<double>(deep_objects_)},
        {"dim_by_root",
         deep_objects_ == 0 ? 0 : static_cast<double>(dim_by_root_) / static_cast<double>(deep_objects_)},
        {"foreground", labelled_ == 0 ? 0 : foreground_ / static_cast<double>(labelled_)}};
    for (const CataloguedSample& sample : catalogue_.samples) {
      if (sample.subset.empty()) continue;
      Value& count = found["subsets"][sample.subset];
      count = count.is_null() ? 1 : count.get<int64_t>() + 1;
    }
    return found;
  }

 private:
  const std::string& shown(const FileReference& file) const { return entry(file).shown; }
  const ArchiveEntry& entry(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }
  std::vector<uint8_t> bytes(const FileReference& file) const { return archives_[file.archive]->read(file.entry); }

  // Where the first picture is a stack, all are taken for stacks.
  void choose_page() {
    const auto first = bytes(chosen_.front()->image);
    try {
      decode_image(first, shown(chosen_.front()->image), page_);
    } catch (const Error&) {
      page_ = page_choice_from("max");
      decode_image(first, shown(chosen_.front()->image), page_);
    }
  }

  std::optional<MaskDecision> decide() const {
    std::vector<NamedStatistics> statistics;
    bool any = false, several = false;
    for (const CataloguedSample* sample : chosen_) {
      any |= !sample->masks.empty();
      several |= sample->masks.size() > 1;
      if (sample->masks.size() != 1) continue;
      const auto content = bytes(sample->masks.front());
      const std::string& name = shown(sample->masks.front());
      statistics.push_back({name, statistics_of(read_mask({name, content}, page_))});
    }
    if (!any) return std::nullopt;
    return decide_masks(std::nullopt, several, statistics);
  }

  void look_at(const CataloguedSample& sample, const std::optional<MaskDecision>& masks) {
    const Image picture = decode_image(bytes(sample.image), shown(sample.image), page_);
    sides_.push_back({picture.width, picture.height});
    const int channels = picture.colours();
    count(channels_, std::to_string(channels));
    count(bits_, std::to_string(picture.bits));
    LabelMap map;
    if (masks && !sample.masks.empty()) {
      map = label_map_of(sample, picture, masks->rule);
      if (picture.bits > 8 && channels <= most_sample_channels) count_dim(picture, shown(sample.image), map);
    }
    if (channels != 1 && channels != 3) return;  // no picture that people look at
    const Image rgb = to_channels(to_shown(as_shown(picture)), 3);
    const Brightness brightness = brightness_of(rgb);
    count(looks_, look_of(rgb, brightness, map.labels.empty() ? nullptr : &map));
  }

  LabelMap label_map_of(const CataloguedSample& sample, const Image& picture, const MaskRule& rule) {
    std::vector<std::vector<uint8_t>> contents;
    for (const FileReference& mask : sample.masks) contents.push_back(bytes(mask));
    std::vector<MaskFile> files;
    for (size_t i = 0; i < contents.size(); ++i) files.push_back({shown(sample.masks[i]), contents[i]});
    LabelMap map = read_masks(files, picture.width, picture.height, rule, page_).map;
    std::vector<int64_t> areas(static_cast<size_t>(map.objects()) + 1);
    for (const auto label : map.labels) ++areas[label];
    areas_.insert(areas_.end(), areas.begin() + 1, areas.end());
    objects_.push_back(map.objects());
    touching_ += touching_objects(map);
    foreground_ += 1 - static_cast<double>(areas[0]) / static_cast<double>(map.labels.size());
    ++labelled_;
    return map;
  }

  void count_dim(const Image& native, const std::string& what, const LabelMap& map) {
    const auto dim_by = [&](const char* contrast) {
      return dim_objects(picture_of(native, what, {page_, {}, contrast}, native.colours()).image, map);
    };
    deep_objects_ += map.objects();
    dim_ += dim_by("auto");
    dim_by_root_ += dim_by("root");
  }

  // Objects whose mean is near the background's median in each channel.
  static int64_t dim_objects(const Image& levels, const LabelMap& map) {
    constexpr double least_apart = 8;
    const auto channels = static_cast<size_t>(levels.channels), objects = static_cast<size_t>(map.objects());
    std::vector<bool> stands_out(objects + 1);
    for (size_t channel = 0; channel < channels; ++channel) {
      std::vector<int64_t> sums(objects + 1), areas(objects + 1);
      std::vector<int64_t> background;
      for (size_t i = 0; i < map.labels.size(); ++i) {
        const int64_t value = levels.bytes[i * channels + channel];
        if (map.labels[i] == 0) background.push_back(value);
        sums[map.labels[i]] += value, ++areas[map.labels[i]];
      }
      const auto middle = static_cast<double>(median_of(std::move(background)));
      for (size_t object = 1; object <= objects; ++object) {
        if (areas[object] > 0 &&
            std::abs(static_cast<double>(sums[object]) / static_cast<double>(areas[object]) - middle) >= least_apart)
          stands_out[object] = true;
      }
    }
    return static_cast<int64_t>(objects) - std::count(stands_out.begin() + 1, stands_out.end(), true);
  }

  // Objects that meet another within one pixel.
  static int64_t touching_objects(const LabelMap& map) {
    const auto object_at = [&](int y, int x) {
      return map.labels[static_cast<size_t>(y) * static_cast<size_t>(map.width) + static_cast<size_t>(x)];
    };
    std::set<Label> touching;
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width; ++x) {
        if (object_at(y, x) != 0 && objects_meet(1, y, x, map.height, map.width, object_at))
          touching.insert(object_at(y, x));
      }
    }
    return static_cast<int64_t>(touching.size());
  }

  static void count(Value& counts, const std::string& what) {
    counts[what] = counts.contains(what) ? counts.at(what).get<int64_t>() + 1 : 1;
  }

  std::vector<std::unique_ptr<Archive>> archives_;
  Catalogue catalogue_;
  std::vector<const CataloguedSample*> chosen_;
  PageChoice page_;
  Value sides_ = Value::array(), channels_ = Value::object(), bits_ = Value::object(), looks_ = Value::object();
  std::vector<int64_t> objects_, areas_;
  int64_t labelled_ = 0;
  int64_t touching_ = 0;
  int64_t deep_objects_ = 0, dim_ = 0, dim_by_root_ = 0;
  double foreground_ = 0;
};

}  // namespace

Value survey(const SurveyRequest& request) { return Survey(request).look(); }

}  // namespace penstock::stages
