#include "stages/report/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "stages/report/html.h"
#include "stages/report/page.h"
#include "stages/report/report_charts.h"

namespace penstock::stages {
namespace {

std::string link_to(const std::string& id) {
  return fmt::format("<a href=\"{0}/report.html\"><code>{0}</code></a>", escaped(id));
}

std::vector<std::string> axis_names(const std::vector<SweepRow>& rows) {
  std::vector<std::string> names;
  for (const SweepRow& row : rows) {
    for (const auto& [name, value] : row.axes) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

const pipeline::Value* value_of(const SweepRow& row, const std::string& axis) {
  const auto found = std::find_if(row.axes.begin(), row.axes.end(), [&](const auto& one) { return one.first == axis; });
  return found == row.axes.end() ? nullptr : &found->second;
}

std::vector<ShownMetric> metrics_in(const std::vector<SweepRow>& rows) {
  std::vector<ShownMetric> found;
  for (const ShownMetric& one : shown_metrics()) {
    if (std::any_of(rows.begin(), rows.end(), [&](const SweepRow& row) { return row.metrics.count(one.path) != 0; }))
      found.push_back(one);
  }
  return found;
}

std::string summary(const std::vector<SweepRun>& runs, const std::vector<SweepRow>& rows) {
  std::map<std::string, size_t> states;
  for (const SweepRun& run : runs) ++states[run.state];
  std::string tiles = tile(std::to_string(runs.size()), "runs");
  if (rows.size() != runs.size()) tiles += tile(std::to_string(rows.size()), "points");
  for (const auto& [state, count] : states) tiles += tile(std::to_string(count), state);
  return "<div class=\"tiles\">" + tiles + "</div>";
}

std::string table_of(const std::vector<SweepRow>& rows, const std::vector<std::string>& axes,
                     const std::vector<ShownMetric>& metrics) {
  std::vector<std::string> head = {"runs", "state"};
  for (const std::string& axis : axes) head.push_back("<code>" + escaped(axis) + "</code>");
  for (const ShownMetric& metric : metrics) head.push_back(escaped(metric.title));
  std::vector<std::vector<std::string>> cells;
  for (const SweepRow& row : rows) {
    auto& line = cells.emplace_back();
    std::string ids;
    for (const std::string& id : row.runs) ids += (ids.empty() ? "" : " ") + link_to(id);
    line.push_back(ids);
    line.push_back("<span class=\"state\">" + escaped(states_text(row)) + "</span>");
    for (const std::string& axis : axes) {
      const auto* value = value_of(row, axis);
      line.push_back(value == nullptr ? "" : escaped(text_of(*value)));
    }
    for (const ShownMetric& metric : metrics) {
      const auto found = row.metrics.find(metric.path);
      line.push_back(found == row.metrics.end() ? "–" : to_text(found->second));
    }
  }
  return table(head, cells);
}

// The main metric over each axis of numbers.
std::string charts_of(const std::vector<SweepRow>& rows, const std::vector<std::string>& axes,
                      const ShownMetric& metric) {
  std::string charts;
  for (const std::string& axis : axes) {
    std::vector<std::pair<double, double>> points;
    std::set<double> different;
    for (const SweepRow& row : rows) {
      const auto* value = value_of(row, axis);
      const auto score = row.metrics.find(metric.path);
      if (value == nullptr || !value->is_number() || score == row.metrics.end()) continue;
      points.emplace_back(value->get<double>(), score->second.mean);
      different.insert(points.back().first);
    }
    if (different.size() > 1) charts += scatter_chart(metric.title, axis, points);
  }
  return charts.empty() ? "" : section("charts", "By parameter", "<div class=\"charts\">" + charts + "</div>");
}

std::string troubles(const std::vector<SweepRun>& runs) {
  std::vector<std::vector<std::string>> rows;
  for (const SweepRun& run : runs) {
    if (run.state != "done" && !run.detail.empty())
      rows.push_back({link_to(run.id), escaped(run.state), escaped(run.detail)});
  }
  return rows.empty() ? "" : section("open", "Not done", table({"run", "state", "why"}, rows));
}

}  // namespace

std::string render_sweep(const std::string& pipeline, const std::vector<SweepRun>& runs, const std::string& seed_axis) {
  auto rows = rows_over_seeds(runs, seed_axis);
  const auto metrics = metrics_in(rows);
  if (!metrics.empty()) sort_by(rows, metrics.front().path);
  const auto axes = axis_names(rows);
  std::string note = metrics.empty()
                         ? ""
                         : fmt::format("<p>Sorted by {}.{}</p>", escaped(metrics.front().title),
                                       seed_axis.empty() ? ""
                                                         : fmt::format(" Mean ± sample deviation over <code>{}</code>.",
                                                                       escaped(seed_axis)));
  const std::string body = section("runs", "Runs", summary(runs, rows) + note + table_of(rows, axes, metrics)) +
                           (metrics.empty() ? "" : charts_of(rows, axes, metrics.front())) + troubles(runs);
  return page(pipeline + ": sweep", pipeline, fmt::format("a sweep of {} runs", runs.size()), body);
}

}  // namespace penstock::stages
