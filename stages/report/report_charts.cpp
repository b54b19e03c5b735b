#include "stages/report/report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distributed/check.h"
#include "stages/report/html.h"

namespace penstock::stages {
namespace {

constexpr double width = 460, height = 276, left = 52, right = 14, top = 52, bottom = 44;

// Steps of 1, 2 or 5 times a power of ten, about four to the axis.
std::vector<double> ticks(double low, double high) {
  const double raw = (high - low) / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10) * power;
  std::vector<double> all;
  for (double tick = std::ceil(low / step) * step; tick <= high + step * 1e-6; tick += step)
    all.push_back(std::abs(tick) < step * 1e-9 ? 0 : tick);
  return all;
}

struct Axes {
  double x_low, x_high, y_low, y_high;

  double x(double value) const { return left + (value - x_low) / (x_high - x_low) * (width - left - right); }
  double y(double value) const {
    return height - bottom - (value - y_low) / (y_high - y_low) * (height - top - bottom);
  }

  std::string draw(const std::string& title, const std::string& x_title) const {
    std::string out = fmt::format("<text class=\"title\" x=\"{}\" y=\"16\">{}</text>", left, escaped(title));
    for (const double tick : ticks(y_low, y_high)) {
      out += fmt::format(
          "<line class=\"rule\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text class=\"tick\" "
          "text-anchor=\"end\" x=\"{}\" y=\"{:.1f}\">{:g}</text>",
          left, width - right, y(tick), y(tick), left - 6, y(tick) + 4, tick);
    }
    for (const double tick : ticks(x_low, x_high)) {
      out += fmt::format("<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{}\">{:g}</text>", x(tick),
                         height - bottom + 16, tick);
    }
    return out + fmt::format(
                     "<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/><text class=\"tick\" "
                     "text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                     left, width - right, height - bottom, height - bottom, (left + width - right) / 2, height - 10,
                     escaped(x_title));
  }
};

Axes axes_for(const std::vector<Series>& series, bool from_zero) {
  Axes axes{1e300, -1e300, 1e300, -1e300};
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      axes.x_low = std::min(axes.x_low, x), axes.x_high = std::max(axes.x_high, x);
      axes.y_low = std::min(axes.y_low, y), axes.y_high = std::max(axes.y_high, y);
    }
  }
  if (axes.x_low > axes.x_high) axes = {0, 1, 0, 1};
  if (from_zero) axes.y_low = std::min(0.0, axes.y_low);
  if (axes.x_high == axes.x_low) axes.x_low -= 0.5, axes.x_high += 0.5;
  if (axes.y_high == axes.y_low) axes.y_high += 1;
  const double margin = (axes.y_high - axes.y_low) * 0.05;
  axes.y_high += margin;
  if (!from_zero) axes.y_low -= margin;
  return axes;
}

// Between the title and the words of marks, so that none runs into another however long it is.
std::string legend(const std::vector<Series>& series) {
  std::string out;
  double x = width - right;
  for (auto one = series.rbegin(); one != series.rend(); ++one) {
    x -= 7.0 * static_cast<double>(one->name.size()) + 24;
    out += fmt::format(
        "<rect x=\"{:.0f}\" y=\"28\" width=\"12\" height=\"3\" fill=\"{}\"/><text class=\"tick\" x=\"{:.0f}\" "
        "y=\"33\">{}</text>",
        x, one->color, x + 16, escaped(one->name));
  }
  return out;
}

std::string svg(const std::string& title, double w, double h, const std::string& content) {
  return fmt::format("<svg class=\"chart\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {}\">{}</svg>\n",
                     escaped(title), w, h, content);
}

}  // namespace

std::string line_chart(const std::string& title, const std::string& x_title, const std::vector<Series>& series,
                       const std::vector<Mark>& marks) {
  const Axes axes = axes_for(series, false);
  std::string out = axes.draw(title, x_title) + legend(series);
  for (const Mark& mark : marks) {
    const bool right_half = mark.x > (axes.x_low + axes.x_high) / 2;
    out += fmt::format(
        "<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text class=\"tick\" "
        "text-anchor=\"{3}\" x=\"{4:.1f}\" y=\"{5}\">{6}</text>",
        axes.x(mark.x), top, height - bottom, right_half ? "end" : "start", axes.x(mark.x) + (right_half ? 4 : -4),
        top - 5, escaped(mark.text));
  }
  for (const Series& one : series) {
    std::string path;
    for (const auto& [x, y] : one.points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", axes.x(x), axes.y(y));
    out += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", path, one.color);
    if (one.points.size() == 1)
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", axes.x(one.points[0].first),
                         axes.y(one.points[0].second), one.color);
  }
  return svg(title, width, height, out);
}

std::string scatter_chart(const std::string& title, const std::string& x_title,
                          const std::vector<std::pair<double, double>>& points) {
  double low = 1e300, high = -1e300;
  for (const auto& [x, y] : points) low = std::min(low, x), high = std::max(high, x);
  const bool logarithmic = low > 0 && high > 20 * low;
  Series series{"", blue, points};
  for (auto& [x, y] : series.points) x = logarithmic ? std::log10(x) : x;
  Axes axes = axes_for({series}, false);
  const double margin = (axes.x_high - axes.x_low) * 0.05;
  axes.x_low -= margin;
  axes.x_high += margin;
  std::string out = axes.draw(title, logarithmic ? "log10 of " + x_title : x_title);
  for (const auto& [x, y] : series.points)
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\" fill-opacity=\"0.6\"/>", axes.x(x),
                       axes.y(y), blue);
  return svg(title, width, height, out);
}

std::string histogram(const std::string& title, const std::string& x_title, const std::vector<double>& edges,
                      const std::vector<Series>& rows) {
  PENSTOCK_CHECK(edges.size() >= 2, "a histogram has at least one bin");
  for (const Series& row : rows)
    PENSTOCK_CHECK(row.points.size() + 1 == edges.size(), "a histogram has one more edge than each row has counts");
  Axes axes = axes_for(rows, true);
  axes.x_low = edges.front();
  axes.x_high = edges.back();
  std::string out = axes.draw(title, x_title);
  if (rows.size() > 1) out += legend(rows);
  for (const Series& row : rows) {
    std::string path = fmt::format("M{:.1f} {:.1f}", axes.x(edges.front()), axes.y(0));
    for (size_t i = 0; i < row.points.size(); ++i) {
      path += fmt::format("V{:.1f}H{:.1f}", axes.y(row.points[i].second), axes.x(edges[i + 1]));
    }
    path += fmt::format("V{:.1f}Z", axes.y(0));
    out += fmt::format("<path d=\"{}\" fill=\"{}\" fill-opacity=\"{}\" stroke=\"{}\" stroke-width=\"1\"/>", path,
                       row.color, rows.size() > 1 ? 0.12 : 0.35, row.color);
  }
  return svg(title, width, height, out);
}

}  // namespace penstock::stages
