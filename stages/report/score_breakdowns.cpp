#include "stages/report/score_breakdowns.h"

#include <fmt/format.h>

#include <vector>

#include "pipeline/counted.h"
#include "stages/report/html.h"
#include "stages/report/report_charts.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using Rows = std::vector<std::vector<std::string>>;

// Rows of parts of a subset's images: metrics.json has, of each subset, the part's name and its scores at `key`.
std::string by_part(const Value& metrics, const char* key, const char* title, const char* column,
                    std::string (*name)(const std::string& part)) {
  Rows rows;
  for (const char* subset : {"train", "validation", "test"}) {
    if (!metrics.contains(subset) || !metrics.at(subset).contains(key)) continue;
    for (const auto& [part, scores] : metrics.at(subset).at(key).items()) {
      const Value& n = scores.at("native");
      rows.push_back({subset, name(part), pipeline::with_commas(scores.at("images").get<int64_t>()),
                      figure(n.at("micro").at("dice")), figure(n.at("macro").at("dice")),
                      figure_with_interval(n, "map"), figure(n.at("ap50"))});
    }
  }
  if (rows.empty()) return {};
  return std::string("<h3>") + title + "</h3>" +
         table({"subset", column, "images", "Dice, micro", "Dice, macro", "mAP", "AP at 0.5"}, rows);
}

std::string by_look(const Value& metrics) {
  return by_part(metrics, "looks", "By visual type", "type", [](const std::string& look) { return escaped(look); });
}

std::string by_relatives(const Value& metrics) {
  const std::string parts = by_part(
      metrics, "relatives", "Tiles and copies of one picture in several subsets", "a relative in another subset",
      [](const std::string& which) { return std::string(which == "with" ? "yes" : "no"); });
  if (parts.empty()) return {};
  return parts +
         "<p>An image with a tile or copy of the same picture in another subset, which may be trained on, says less "
         "about pictures from elsewhere. <code>split.by = \"group\"</code> keeps them together.</p>";
}

std::string size_text(const Value& size) {
  if (!size.contains("below")) return pipeline::with_commas(size.at("from").get<int64_t>()) + " or more";
  return fmt::format("{} to {}", pipeline::with_commas(size.at("from").get<int64_t>()),
                     pipeline::with_commas(size.at("below").get<int64_t>() - 1));
}

std::string by_size(const Value& metrics) {
  Rows rows;
  for (const char* subset : {"train", "validation", "test"}) {
    if (!metrics.contains(subset) || !metrics.at(subset).at("native").contains("by_size")) continue;
    for (const Value& size : metrics.at(subset).at("native").at("by_size")) {
      const int64_t objects = size.at("objects"), found = size.at("found");
      const Value share = objects == 0 ? Value() : Value(static_cast<double>(found) / static_cast<double>(objects));
      rows.push_back(
          {subset, size_text(size), pipeline::with_commas(objects), pipeline::with_commas(found), figure(share)});
    }
  }
  if (rows.empty()) return {};
  return "<h3>By size of the objects</h3>" +
         table({"subset", "area, native pixels", "true objects", "found at IoU 0.5", "share"}, rows);
}

std::string calibration(const Value& metrics) {
  std::vector<Series> series = {{"as predicted", grey, {{0, 0}, {1, 1}}}};
  std::string errors;
  for (const auto& [subset, color] : {std::pair("validation", blue), std::pair("test", orange)}) {
    if (!metrics.contains(subset) || !metrics.at(subset).at("native").contains("calibration")) continue;
    const Value& found = metrics.at(subset).at("native").at("calibration");
    Series one{subset, color, {}};
    for (const Value& bin : found.at("bins"))
      one.points.emplace_back(bin.at("probability").get<double>(), bin.at("foreground").get<double>());
    series.push_back(std::move(one));
    errors += fmt::format("{}{} {}", errors.empty() ? "" : ", ", subset, figure(found.at("error")));
  }
  if (series.size() == 1) return {};
  return "<h3>Calibration</h3><div class=\"charts\">" +
         line_chart("Share of pixels that are foreground", "probability", series, {}) +
         fmt::format(
             "</div><p>Pixels by the probability that they were given, in ten bins. Expected calibration error "
             "(mean distance from the diagonal, over pixels): {}.</p>",
             errors);
}

}  // namespace

std::string score_breakdowns(const Value& metrics) {
  return by_look(metrics) + by_relatives(metrics) + by_size(metrics) + calibration(metrics);
}

}  // namespace penstock::stages
