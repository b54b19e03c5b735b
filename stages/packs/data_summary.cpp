#include "stages/packs/data_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "distributed/check.h"
#include "stages/images/appearance.h"
#include "stages/packs/csv.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* columns[] = {"id",   "entry",       "width",   "height",     "channels",
                                   "bits", "labelled",    "objects", "foreground", "mean_intensity",
                                   "look", "area_median", "group"};

// Beside the columns, a row's JSON holds under this key what is not a column.
constexpr const char* rest_key = "_";

// An image with more foreground than this is hardly meant so; where most are, the background is labelled.
constexpr double most_foreground = 0.9;

template <typename Number>
Number least(const std::vector<Number>& values) {
  return values.empty() ? Number{0} : *std::min_element(values.begin(), values.end());
}
template <typename Number>
Number most(const std::vector<Number>& values) {
  return values.empty() ? Number{0} : *std::max_element(values.begin(), values.end());
}

// In equal bins from 0 to the largest value.
Value histogram_of(const std::vector<double>& values, int bins) {
  const double high = std::max(most(values), 1e-9);
  std::vector<int64_t> counts(static_cast<size_t>(bins));
  std::vector<double> edges;
  for (int i = 0; i <= bins; ++i) edges.push_back(high * i / bins);
  for (const double value : values) ++counts[std::min(bins - 1, static_cast<int>(value / high * bins))];
  return {{"edges", edges}, {"counts", counts}};
}
Value histogram_of(const std::vector<int64_t>& values, int bins) {
  return histogram_of(std::vector<double>(values.begin(), values.end()), bins);
}

// One row of counts where the channels agree everywhere (grey), else one of each.
Value intensities_of(const std::vector<ImageRow>& rows) {
  std::array<std::vector<int64_t>, 3> sums;
  for (auto& counts : sums) counts.assign(intensity_bins, 0);
  for (const ImageRow& row : rows) {
    for (size_t c = 0; c < sums.size(); ++c) {
      for (int bin = 0; bin < intensity_bins; ++bin) sums[c][bin] += row.histogram[c][bin];
    }
  }
  const bool grey = sums[0] == sums[1] && sums[1] == sums[2];
  Value counts = Value::array();
  for (size_t c = 0; c < (grey ? 1 : sums.size()); ++c) counts.push_back(sums[c]);
  return {{"bins", intensity_bins}, {"counts", counts}};
}

// How many images are of each size, of each kind of channels, of each look. No key where there is no image.
Value kinds_of(const std::vector<ImageRow>& rows) {
  std::map<std::pair<int, int>, int> sizes, channels;
  std::map<std::string, int> looks;
  for (const ImageRow& row : rows) {
    ++sizes[{row.metadata.at("width"), row.metadata.at("height")}];
    ++channels[{row.metadata.at("channels"), row.metadata.at("bits")}];
    ++looks[row.metadata.at("look")];
  }
  Value kinds = Value::object();
  for (const auto& [size, count] : sizes)
    kinds["sizes"].push_back({{"width", size.first}, {"height", size.second}, {"samples", count}});
  for (const auto& [kind, count] : channels)
    kinds["channels"].push_back({{"channels", kind.first}, {"bits", kind.second}, {"samples", count}});
  for (const auto& [look, count] : looks) kinds["looks"].push_back({{"look", look}, {"samples", count}});
  return kinds;
}

// Rows whose masks cover nearly all of the image, and whether they are most of the labelled ones.
struct Covered {
  std::vector<const ImageRow*> rows;
  size_t labelled = 0;

  bool most() const { return rows.size() * 2 > labelled; }
};
Covered covered_in(const std::vector<ImageRow>& rows) {
  Covered covered;
  for (const ImageRow& row : rows) {
    if (!row.metadata.at("labelled").get<bool>()) continue;
    ++covered.labelled;
    if (row.metadata.at("foreground").get<double>() > most_foreground) covered.rows.push_back(&row);
  }
  return covered;
}

std::string cell_of(const Value& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Value to_json(const ImageRow& row) {
  Value json = row.metadata;
  json[rest_key] = {{"histogram", row.histogram},
                    {"areas", row.areas},
                    {"problems", row.problems},
                    {"warnings", row.warnings},
                    {"measurements", row.measurements}};
  return json;
}

ImageRow image_row_from(const Value& json) {
  const Value& rest = json.at(rest_key);
  ImageRow row = {
      json, rest.at("histogram"), rest.at("areas"), rest.at("problems"), rest.at("warnings"), rest.at("measurements")};
  row.metadata.erase(rest_key);
  for (const auto& counts : row.histogram) {
    PENSTOCK_CHECK(counts.size() == static_cast<size_t>(intensity_bins),
                   fmt::format("a histogram of intensity has {} bins, not {}", intensity_bins, counts.size()));
  }
  return row;
}

int64_t median_of(std::vector<int64_t> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

Value summary_of(const std::vector<ImageRow>& rows, const Value& grid) {
  std::vector<int64_t> objects, areas;
  std::vector<double> foregrounds;
  for (const ImageRow& row : rows) {
    if (!row.metadata.at("labelled").get<bool>()) continue;
    objects.push_back(row.metadata.at("objects"));
    foregrounds.push_back(row.metadata.at("foreground"));
    areas.insert(areas.end(), row.areas.begin(), row.areas.end());
  }
  int64_t total = 0;
  for (const int64_t count : objects) total += count;
  double mean = 0;
  for (const double share : foregrounds) mean += share / static_cast<double>(foregrounds.size());

  Value summary = kinds_of(rows);
  summary["schema"] = 1;
  summary["samples"] = rows.size();
  summary["labelled"] = objects.size();
  summary["unlabelled"] = rows.size() - objects.size();
  summary["objects"] = {
      {"total", total}, {"minimum", least(objects)}, {"median", median_of(objects)}, {"maximum", most(objects)}};
  summary["foreground"] = {{"mean", mean}, {"minimum", least(foregrounds)}, {"maximum", most(foregrounds)}};
  summary["histograms"] = {{"intensity", intensities_of(rows)},
                           {"foreground", histogram_of(foregrounds, 20)},
                           {"objects", histogram_of(objects, 20)},
                           {"object_area", histogram_of(areas, 30)}};
  for (const char* key : {"mode", "scale", "width", "height", "channels"}) {
    if (grid.contains(key)) summary["grid"][key] = grid.at(key);
  }
  if (const Value masks = grid.value("masks", Value()); !masks.is_null()) summary["masks"] = masks;
  return summary;
}

Value verdict_on(const std::vector<ImageRow>& rows) {
  Value problems = Value::array(), warnings = Value::array();
  for (const ImageRow& row : rows) {
    for (const std::string& text : row.problems) problems.push_back({{"sample", row.id()}, {"problem", text}});
    for (const std::string& text : row.warnings) warnings.push_back({{"sample", row.id()}, {"warning", text}});
  }
  const Covered covered = covered_in(rows);
  for (const ImageRow* row : covered.rows) {
    const std::string text =
        fmt::format("its masks cover {:.0f} % of it", 100 * row->metadata.at("foreground").get<double>());
    if (covered.most()) {
      problems.push_back(
          {{"sample", row->id()},
           {"problem", fmt::format("{}, and over {:.0f} % in {} of {} images with masks: the background may "
                                   "be what is labelled, or the objects be in the alpha channel alone",
                                   text, 100 * most_foreground, covered.rows.size(), covered.labelled)}});
    } else {
      warnings.push_back({{"sample", row->id()}, {"warning", text}});
    }
  }
  return {{"passed", problems.empty()}, {"problems", problems}, {"warnings", warnings}};
}

std::map<std::string, std::string> looks_of(const Value& metadata) {
  std::map<std::string, std::string> looks;
  for (const Value& image : metadata.at("images")) looks[image.at("id")] = image.at("look");
  return looks;
}

Value metadata_json(const std::vector<ImageRow>& rows) {
  Value images = Value::array();
  for (const ImageRow& row : rows) images.push_back(row.metadata);
  return {{"schema", 1}, {"images", images}};
}

std::string metadata_csv(const std::vector<ImageRow>& rows) {
  CsvTable csv({std::begin(columns), std::end(columns)});
  for (const ImageRow& row : rows) {
    std::vector<std::string> cells;
    for (const char* column : columns) cells.push_back(cell_of(row.metadata.at(column)));
    csv.add(cells);
  }
  return csv.text();
}

}  // namespace penstock::stages
