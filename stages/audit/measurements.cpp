#include "stages/audit/measurements.h"

#include <algorithm>

#include "stages/images/pixel_values.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

void measure_picture(const std::vector<uint8_t>& grey, Measurements& found) {
  const auto [low, high] = std::minmax_element(grey.begin(), grey.end());
  found.range = *high - *low;
  found.saturated =
      static_cast<double>(std::count(grey.begin(), grey.end(), uint8_t{255})) / static_cast<double>(grey.size());
  found.above_otsu = share_above_otsu(grey);
}

void measure_mask(const std::vector<uint8_t>& grey, const LabelMap& map, Measurements& found) {
  found.shape = shape_of(map);
  if (map.labels.size() != grey.size()) return;
  found.alignment = alignment_of(grey, map);
  int64_t inside = 0, outside = 0, count = 0;
  for (size_t i = 0; i < grey.size(); ++i) {
    const bool labelled = map.labels[i] != 0;
    (labelled ? inside : outside) += grey[i];
    count += labelled;
  }
  const auto rest = static_cast<int64_t>(grey.size()) - count;
  found.objects_darker = inside * rest < outside * count;
}

}  // namespace

Measurements measured(const Image& picture, const LabelMap* map, const Value& metadata, const Value& record) {
  Measurements found;
  found.id = metadata.at("id");
  found.entry = metadata.at("entry");
  found.channels = metadata.at("channels");
  found.bits = metadata.at("bits");
  found.look = metadata.at("look");
  found.labelled = map != nullptr;
  found.empty_masks = record.at("empty_masks");
  found.overlaps = record.at("overlaps");
  const Image grey = to_channels(to_shown(as_shown(picture)), 1);
  measure_picture(grey.bytes, found);
  if (map != nullptr) measure_mask(grey.bytes, *map, found);
  found.print = fingerprint_of(picture, grey, map);
  return found;
}

Value to_json(const Measurements& one) {
  const MaskShape& shape = one.shape;
  const Alignment& alignment = one.alignment;
  return {{"id", one.id},
          {"entry", one.entry},
          {"channels", one.channels},
          {"bits", one.bits},
          {"look", one.look},
          {"labelled", one.labelled},
          {"empty_masks", one.empty_masks},
          {"overlaps", one.overlaps},
          {"range", one.range},
          {"saturated", one.saturated},
          {"above_otsu", one.above_otsu},
          {"objects_darker", one.objects_darker},
          {"objects", shape.objects},
          {"in_pieces", shape.in_pieces},
          {"with_holes", shape.with_holes},
          {"tiny", shape.tiny},
          {"largest", shape.largest},
          {"border", shape.border},
          {"foreground", shape.foreground},
          {"alignment", {alignment.dx, alignment.dy, alignment.here, alignment.best}},
          {"print", to_json(one.print)}};
}

Measurements measurements_from(const Value& json) {
  Measurements one;
  const auto take = [&](const char* key, auto& value) { json.at(key).get_to(value); };
  take("id", one.id), take("entry", one.entry), take("channels", one.channels), take("bits", one.bits);
  take("look", one.look), take("labelled", one.labelled), take("empty_masks", one.empty_masks);
  take("overlaps", one.overlaps), take("range", one.range), take("saturated", one.saturated);
  take("above_otsu", one.above_otsu), take("objects_darker", one.objects_darker);
  MaskShape& shape = one.shape;
  take("objects", shape.objects), take("in_pieces", shape.in_pieces), take("with_holes", shape.with_holes);
  take("tiny", shape.tiny), take("largest", shape.largest), take("border", shape.border);
  take("foreground", shape.foreground);
  const Value& alignment = json.at("alignment");
  one.alignment = {alignment.at(0), alignment.at(1), alignment.at(2), alignment.at(3)};
  one.print = fingerprint_from(json.at("print"));
  return one;
}

}  // namespace penstock::stages
