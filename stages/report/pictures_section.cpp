#include "stages/report/pictures_section.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "distributed/check.h"
#include "distributed/printable.h"
#include "stages/images/image.h"
#include "stages/packs/pack.h"
#include "stages/packs/sample_pack.h"
#include "stages/report/html.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

Image mask_picture(const std::vector<uint8_t>& mask, int width, int height) {
  Image image{width, height, 1, 8, mask};
  for (uint8_t& value : image.bytes) value = value ? 255 : 0;
  return image;
}

// Right pixels in grey over the image's grey, false positives blue, false negatives orange.
Image error_picture(const Image& image, const std::vector<uint8_t>& truth, const std::vector<uint8_t>& predicted) {
  const Image base = to_channels(image, 1);
  PENSTOCK_CHECK(truth.size() == base.bytes.size() && predicted.size() == base.bytes.size(),
                 "truth and prediction have one value for each pixel of their image");
  Image overlay{image.width, image.height, 3, 8, {}};
  overlay.bytes.resize(overlay.values());
  for (size_t i = 0; i < truth.size(); ++i) {
    uint8_t* pixel = &overlay.bytes[i * 3];
    const auto level = static_cast<uint8_t>(base.bytes[i] / 3);
    const bool t = truth[i] != 0, p = predicted[i] != 0;
    const uint8_t right[3] = {static_cast<uint8_t>(level + 110), static_cast<uint8_t>(level + 110),
                              static_cast<uint8_t>(level + 110)};
    const uint8_t extra[3] = {0, 140, 255}, missed[3] = {255, 110, 0}, nothing[3] = {level, level, level};
    const uint8_t* color = t && p ? right : p ? extra : t ? missed : nothing;
    std::copy(color, color + 3, pixel);
  }
  return overlay;
}

class Shown {
 public:
  Shown(const std::filesystem::path& folder, double threshold, const Value& samples)
      : pack_(folder / "report.safetensors"), threshold_(threshold) {
    if (samples.is_null()) return;
    for (const Value& sample : samples.at("samples"))
      scores_.emplace(sample.at("id"), sample.at(sample.contains("grid") ? "grid" : "native"));
  }

  std::string row(const std::string& id) const {
    const PackedArray array = pack_.array(pack_entry::image(id));
    const int height = static_cast<int>(array.shape[0]), width = static_cast<int>(array.shape[1]);
    const Image image = to_shown(sample_picture(width, height, static_cast<int>(array.shape[2]), bytes(array)));
    const auto probability = bytes(pack_.array(pack_entry::probability(id)));
    std::vector<uint8_t> predicted(probability.size());
    for (size_t i = 0; i < predicted.size(); ++i) predicted[i] = probability[i] > threshold_ * 255;
    std::string out = "<figure>" + picture(image, id);
    std::string caption = escaped(std::string(distributed::beginning_of(id, 12)));
    if (pack_.has(pack_entry::truth(id))) {
      const auto truth = bytes(pack_.array(pack_entry::truth(id)));
      out += picture(mask_picture(truth, width, height), "truth") +
             picture(mask_picture(predicted, width, height), "prediction") +
             picture(error_picture(image, truth, predicted), "errors");
      if (const auto scored = scores_.find(id); scored != scores_.end()) {
        caption += fmt::format(" &middot; Dice {} &middot; IoU {}", figure(scored->second.at("dice")),
                               figure(scored->second.at("iou")));
      }
    } else {
      out += picture(mask_picture(predicted, width, height), "prediction");
    }
    return out + "<figcaption>" + caption + "</figcaption></figure>\n";
  }

 private:
  static std::vector<uint8_t> bytes(const PackedArray& array) { return {array.bytes.begin(), array.bytes.end()}; }

  Pack pack_;
  double threshold_;
  std::map<std::string, Value> scores_;  // of the grid, by sample
};

}  // namespace

std::string pictures_section(const ReportSources& sources, const Value&) {
  static constexpr std::pair<const char*, const char*> groups[] = {
      {"validation", "Validation, drawn at random"}, {"test", "Test, drawn at random"},
      {"train", "Train, drawn at random"},           {"worst", "Worst of validation and test"},
      {"best", "Best of validation and test"},       {"unlabelled", "Without masks"}};
  const Value selection = sources.json("predictions", "selection.json");
  const Value metrics = sources.json("metrics", "metrics.json");
  if (selection.is_null()) return {};
  const Shown shown(*sources.folder("predictions"), metrics.is_null() ? 0.5 : metrics.at("threshold").get<double>(),
                    sources.json("metrics", "samples.json"));
  std::string content =
      "<p>Image, truth, prediction, errors: <span class=\"key\" style=\"background:#008cff\"></span> predicted but not "
      "there, <span class=\"key\" style=\"background:#ff6e00\"></span> there but not predicted. Figures on the "
      "training "
      "grid.</p>";
  for (const auto& [name, title] : groups) {
    const Value ids = selection.value(name, Value::array());
    if (ids.empty()) continue;
    content += fmt::format("<h3>{}</h3><div class=\"gallery\">", title);
    for (const Value& id : ids) content += shown.row(id);
    content += "</div>";
  }
  return content;
}

}  // namespace penstock::stages
