#include "stages/images/tiff_axes.h"

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

#include "pipeline/value.h"

namespace penstock::stages {
namespace {

constexpr int most_planes = 1 << 24;

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() || number < 1 || number > most_planes) return std::nullopt;
  return number;
}

struct Axis {
  char name;
  int size;
};

// The table for axes given from the slowest to the fastest. nullopt when they do not make `planes` planes.
std::optional<TiffAxes> table_of(const std::vector<Axis>& axes, int planes) {
  int64_t all = 1;
  TiffAxes table;
  for (const Axis& axis : axes) {
    all *= axis.size;
    if (all > planes) return std::nullopt;
    (axis.name == 'C' ? table.channels : table.pages) *= axis.size;
  }
  if (all != planes) return std::nullopt;
  table.planes.resize(static_cast<size_t>(planes));
  for (int plane = 0; plane < planes; ++plane) {
    int rest = plane, page = 0, page_step = 1, channel = 0, channel_step = 1;
    for (size_t i = axes.size(); i-- > 0; rest /= axes[i].size) {
      const int at = rest % axes[i].size;
      int& place = axes[i].name == 'C' ? channel : page;
      int& step = axes[i].name == 'C' ? channel_step : page_step;
      place += at * step;
      step *= axes[i].size;
    }
    table.planes[static_cast<size_t>(page) * table.channels + channel] = plane;
  }
  return table;
}

// "key=value" lines after "ImageJ=".
std::optional<int> imagej_number(std::string_view description, std::string_view key) {
  for (size_t at = 0; at < description.size();) {
    const size_t end = std::min(description.find('\n', at), description.size());
    const std::string_view line = description.substr(at, end - at);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=')
      return number_in(line.substr(key.size() + 1));
    at = end + 1;
  }
  return std::nullopt;
}

std::optional<TiffAxes> imagej_axes(std::string_view description, int planes) {
  const auto number = [&](std::string_view key) { return imagej_number(description, key).value_or(1); };
  return table_of({{'T', number("frames")}, {'Z', number("slices")}, {'C', number("channels")}}, planes);
}

// The value of an attribute in the element that begins at `tag`: <Pixels SizeC="2" ...>.
std::string_view attribute(std::string_view xml, std::string_view tag, std::string_view name) {
  const size_t begin = xml.find(tag);
  if (begin == std::string_view::npos) return {};
  const std::string_view element = xml.substr(begin, xml.find('>', begin) - begin);
  const std::string wanted = " " + std::string(name) + "=";
  const size_t at = element.find(wanted);
  if (at == std::string_view::npos || at + wanted.size() >= element.size()) return {};
  const char quote = element[at + wanted.size()];
  const size_t value = at + wanted.size() + 1;
  const size_t end = element.find(quote, value);
  if ((quote != '"' && quote != '\'') || end == std::string_view::npos) return {};
  return element.substr(value, end - value);
}

std::optional<TiffAxes> ome_axes(std::string_view xml, int planes) {
  constexpr std::string_view pixels = "<Pixels";
  const std::string_view order = attribute(xml, pixels, "DimensionOrder");
  if (order.size() != 5 || !order.starts_with("XY")) return std::nullopt;
  // A channel of several samples (RGB) is one plane.
  const int samples = number_in(attribute(xml, "<Channel", "SamplesPerPixel")).value_or(1);
  std::vector<Axis> axes;
  for (size_t i = 4; i >= 2; --i) {
    const auto size = number_in(attribute(xml, pixels, std::string("Size") + order[i]));
    if (!size || std::string_view("CZT").find(order[i]) == std::string_view::npos) return std::nullopt;
    axes.push_back({order[i], order[i] == 'C' && samples > 1 ? std::max(1, *size / samples) : *size});
  }
  return table_of(axes, planes);
}

// {"shape": [5, 256, 256], "axes": "CYX"}
std::optional<TiffAxes> tifffile_axes(std::string_view description, int planes) {
  const auto json = pipeline::Value::parse(description, nullptr, false);
  if (!json.is_object() || !json.contains("axes") || !json.contains("shape")) return std::nullopt;
  const auto& names = json.at("axes");
  const auto& shape = json.at("shape");
  if (!names.is_string() || !shape.is_array() || names.get_ref<const std::string&>().size() != shape.size())
    return std::nullopt;
  std::vector<Axis> axes;
  for (size_t i = 0; i < shape.size(); ++i) {
    const char name = names.get_ref<const std::string&>()[i];
    if (name == 'Y' || name == 'X' || name == 'S') continue;
    if (!shape[i].is_number_integer()) return std::nullopt;
    const auto size = shape[i].get<int64_t>();
    if (size < 1 || size > most_planes) return std::nullopt;
    axes.push_back({name, static_cast<int>(size)});
  }
  return table_of(axes, planes);
}

}  // namespace

int planes_of_imagej(std::string_view description) {
  return description.starts_with("ImageJ=") ? imagej_number(description, "images").value_or(0) : 0;
}

std::optional<TiffAxes> axes_in(std::string_view description, int planes) {
  if (description.starts_with("ImageJ=")) return imagej_axes(description, planes);
  if (description.find("<OME") != std::string_view::npos) return ome_axes(description, planes);
  if (description.starts_with("{")) return tifffile_axes(description, planes);
  return std::nullopt;
}

}  // namespace penstock::stages
