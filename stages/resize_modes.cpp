#include "stages/resize_modes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "pipeline/json_number.h"
#include "stages/images/image.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

// Of JSON that anyone may have written.
constexpr int64_t largest_side = 65536;  // pixels
constexpr double smallest_scale = 1e-6, largest_scale = 1e6;

}  // namespace

const std::vector<ResizeMode>& resize_modes() {
  static const std::vector<ResizeMode> modes = {
      {.name = "squash", .help = "every picture becomes width x height pixels, whatever its shape", .by_sides = true},
      {.name = "fit",
       .help = "each picture keeps its shape and is scaled to fit into width x height, and train takes crops",
       .own_size = true,
       .by_sides = true},
      {.name = "native",
       .help = "each picture keeps its own size times one factor, and train takes crops",
       .own_size = true},
  };
  return modes;
}

const ResizeMode& resize_mode(std::string_view name) { return row_of(resize_modes(), "resize mode", name); }

pipeline::Value to_json(const SampleRule& rule) {
  pipeline::Value json = pipeline::Value::object();
  if (rule.own_size()) json["mode"] = rule.mode;
  if (resize_mode(rule.mode).by_sides)
    json["width"] = rule.width, json["height"] = rule.height;
  else
    json["scale"] = rule.scale;
  return json;
}

SampleRule sample_rule_from(const pipeline::Value& json) {
  SampleRule rule;
  rule.mode = json.value("mode", rule.mode);
  require_known("resize mode", rule.mode, names_of(resize_modes()));
  if (resize_mode(rule.mode).by_sides) {
    rule.width = static_cast<int>(pipeline::whole_number_in(json, "width", 1, largest_side));
    rule.height = static_cast<int>(pipeline::whole_number_in(json, "height", 1, largest_side));
  } else {
    rule.scale = pipeline::number_in(json, "scale", smallest_scale, largest_scale);
  }
  return rule;
}

std::string in_words(const SampleRule& rule) {
  const ResizeMode& mode = resize_mode(rule.mode);
  if (!mode.own_size) return fmt::format("samples of {} x {} pixels", rule.width, rule.height);
  if (mode.by_sides) return fmt::format("samples that fit into {} x {} pixels", rule.width, rule.height);
  return fmt::format("samples, each of its own size ({:.6g} sample pixels per native pixel)", rule.scale);
}

SampleSize sample_size(const SampleRule& rule, int width, int height, int channels, const std::string& what) {
  const ResizeMode& mode = resize_mode(rule.mode);
  if (!mode.own_size) return {rule.width, rule.height};
  const double fitting = std::min(static_cast<double>(rule.width) / width, static_cast<double>(rule.height) / height);
  const double scale = mode.by_sides ? fitting : rule.scale;
  const auto side = [scale](int pixels) { return std::max<int64_t>(1, std::llround(pixels * scale)); };
  check_size(side(width), side(height), channels, what + ", scaled");
  return {static_cast<int>(side(width)), static_cast<int>(side(height))};
}

}  // namespace penstock::stages
