// Charts as inline SVG: readable in print, without script. Pure functions; titles and names are text.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace penstock::stages {

// Okabe and Ito's palette, which colour-blind readers can tell apart.
inline constexpr const char* blue = "#0072b2";
inline constexpr const char* orange = "#d55e00";
inline constexpr const char* green = "#009e73";
inline constexpr const char* purple = "#cc79a7";
inline constexpr const char* grey = "#6b7280";

struct Series {
  std::string name;
  const char* color;
  std::vector<std::pair<double, double>> points;
};
struct Mark {  // a vertical line
  double x;
  std::string text;
};

std::string line_chart(const std::string& title, const std::string& x_title, const std::vector<Series>& series,
                       const std::vector<Mark>& marks);

// Points only; with a logarithmic x axis where the values span more than a factor of 20.
std::string scatter_chart(const std::string& title, const std::string& x_title,
                          const std::vector<std::pair<double, double>>& points);

// `edges` has one more value than each row of counts; several rows are drawn over each other as outlines.
std::string histogram(const std::string& title, const std::string& x_title, const std::vector<double>& edges,
                      const std::vector<Series>& rows);

}  // namespace penstock::stages
