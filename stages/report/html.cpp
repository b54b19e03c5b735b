#include "stages/report/html.h"

#include <fmt/format.h>

#include <cmath>

#include "distributed/check.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string text_of(const pipeline::Value& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t rest = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j) word = word << 8 | (j < rest ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out += j <= rest ? digits[word >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string picture_of_png(std::string_view png, std::string_view caption) {
  return fmt::format("<img alt=\"{}\" src=\"data:image/png;base64,{}\">", escaped(caption), base64(png));
}

std::string picture(const Image& image, std::string_view caption) { return picture_of_png(encode_png(image), caption); }

std::string duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string figure(const pipeline::Value& number) {
  return number.is_number() ? fmt::format("{:.4f}", number.get<double>()) : "–";
}

std::string figure_with_interval(const pipeline::Value& scores, const std::string& name) {
  if (!scores.contains("intervals")) return figure(scores.at(name));
  const pipeline::Value& interval = scores.at("intervals").at(name);
  return fmt::format("{} ({:.2f} to {:.2f})", figure(scores.at(name)), interval[0].get<double>(),
                     interval[1].get<double>());
}

std::string tile(const std::string& value, std::string_view name) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", value, escaped(name));
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& cell : head) out += "<th>" + cell + "</th>";
  out += "</tr></thead><tbody>";
  for (const auto& row : rows) {
    PENSTOCK_CHECK(row.size() == head.size(),
                   fmt::format("a row has a cell for each of {} columns, has {}", head.size(), row.size()));
    out += "<tr>";
    for (const std::string& cell : row) out += "<td>" + cell + "</td>";
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace penstock::stages
