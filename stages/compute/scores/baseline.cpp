#include "stages/compute/scores/baseline.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <numeric>

#include "distributed/check.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/compute/scores/summaries.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

cv::Mat grey_of(const SamplePicture& picture) {
  const auto channels = static_cast<size_t>(picture.channels);
  PENSTOCK_CHECK(picture.values.size() == static_cast<size_t>(picture.width) * picture.height * channels,
                 "a picture has a value for each channel of each pixel");
  return picture.values.with([&]<typename T>(const T* value) {
    cv::Mat grey(picture.height, picture.width, cv::traits::Type<T>::value);
    for (size_t i = 0; i < picture.values.size() / channels; ++i, value += channels)
      grey.ptr<T>()[i] = static_cast<T>(std::accumulate(value, value + channels, channels / 2) / channels);  // rounded
    return grey;
  });
}

}  // namespace

std::vector<float> otsu_foreground(const SamplePicture& picture, int native_width, int native_height) {
  cv::Mat native, above;
  const bool shrinks = native_width < picture.width || native_height < picture.height;
  cv::resize(grey_of(picture), native, {native_width, native_height}, 0, 0,
             shrinks ? cv::INTER_AREA : cv::INTER_LINEAR_EXACT);
  cv::threshold(native, above, 0, 1, cv::THRESH_BINARY | cv::THRESH_OTSU);
  above.convertTo(above, CV_8U);
  const auto pixels = static_cast<int64_t>(above.total());
  const int64_t brighter = std::count(above.begin<uint8_t>(), above.end<uint8_t>(), uint8_t{1});
  const uint8_t foreground = brighter <= pixels - brighter ? 1 : 0;
  std::vector<float> shown(above.total());
  std::transform(above.begin<uint8_t>(), above.end<uint8_t>(), shown.begin(),
                 [foreground](uint8_t value) { return value == foreground ? 1.0f : 0.0f; });
  return shown;
}

Value otsu_scores(const SamplePicture& picture, const LabelMap& truth, const InstanceRules& rules) {
  InstanceRules connected;
  connected.connectivity = rules.connectivity, connected.minimum_area = rules.minimum_area;
  constexpr double between = 0.5;  // of 0 and 1
  const PixelMaps foreground{truth.width, truth.height, {"mask"}, otsu_foreground(picture, truth.width, truth.height)};
  const FoundObjects found = find_objects(foreground, between, connected);
  return to_json(SampleScores{{}, native_counts(found, truth), score_objects(truth, found)});
}

void add_otsu(Value& metrics, const std::map<std::string, Value>& rows,
              const std::map<std::string, std::string>& subset_of) {
  std::map<std::string, std::vector<SampleScores>> subsets;
  for (const auto& [id, row] : rows) {
    if (row.contains("otsu")) subsets[subset_of.at(id)].push_back(sample_scores_from_json(row.at("otsu")));
  }
  for (const auto& [subset, scores] : subsets) {
    if (metrics.contains(subset)) metrics[subset]["otsu"] = summarise_scores(scores, false).at("native");
  }
}

}  // namespace penstock::stages
