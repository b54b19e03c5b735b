#include "stages/audit/fingerprint.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "pipeline/digest.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr double least_range = 2;  // grey levels that a thumbnail must span to be compared

std::string digest_of_values(int width, int height, int channels, const std::vector<uint8_t>& bytes) {
  pipeline::Hasher hasher;
  hasher.field(width).field(height).field(channels);
  hasher.field(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return hasher.finish().hex();
}

// Of a picture of two values, one of them 0: what is not 0.
std::string drawing_of(const Image& grey) {
  std::array<bool, 256> seen{};
  for (const uint8_t value : grey.bytes) seen[value] = true;
  if (std::count(seen.begin(), seen.end(), true) != 2 || !seen[0]) return {};
  std::vector<uint8_t> drawn = grey.bytes;
  for (uint8_t& value : drawn) value = value != 0;
  return digest_of_values(grey.width, grey.height, 1, drawn);
}

void digest_masks(const LabelMap& map, Fingerprint& print) {
  std::vector<uint8_t> drawn, numbered;
  std::map<Label, Label> numbers;  // in the order of first pixels
  const int bytes = static_cast<Label>(map.objects()) > most_narrow_label ? 4 : 2;
  bool any = false;
  for (const Label label : map.labels) {
    const Label number =
        label == 0 ? Label{0} : numbers.emplace(label, static_cast<Label>(numbers.size() + 1)).first->second;
    drawn.push_back(label != 0);
    any |= label != 0;
    for (int byte = 0; byte < bytes; ++byte) numbered.push_back(static_cast<uint8_t>(number >> (8 * byte)));
  }
  print.objects = digest_of_values(map.width, map.height, bytes, numbered);
  if (any) print.mask = digest_of_values(map.width, map.height, 1, drawn);
}

// The mean of what lies in each cell of a grid; the cells of a mirrored picture are the mirrored cells.
std::vector<double> cells_of(const Image& grey) {
  const auto from = [](int cell, int length) { return cell * length / thumbnail_side; };
  const auto to = [](int cell, int length) { return ((cell + 1) * length + thumbnail_side - 1) / thumbnail_side; };
  std::vector<double> cells;
  for (int row = 0; row < thumbnail_side; ++row) {
    for (int column = 0; column < thumbnail_side; ++column) {
      int64_t sum = 0, count = 0;
      for (int y = from(row, grey.height); y < to(row, grey.height); ++y) {
        for (int x = from(column, grey.width); x < to(column, grey.width); ++x, ++count)
          sum += grey.bytes[static_cast<size_t>(y) * grey.width + x];
      }
      cells.push_back(static_cast<double>(sum) / static_cast<double>(count));
    }
  }
  return cells;
}

std::vector<uint8_t> thumbnail_of(const Image& grey) {
  const std::vector<double> cells = cells_of(grey);
  const auto [low, high] = std::minmax_element(cells.begin(), cells.end());
  if (*high - *low < least_range) return {};
  std::vector<uint8_t> bytes;
  for (const double cell : cells)
    bytes.push_back(static_cast<uint8_t>(std::lround((cell - *low) * 255 / (*high - *low))));
  return bytes;
}

uint64_t hash_of(const std::vector<uint8_t>& square) {
  constexpr int block = thumbnail_side / 8;
  std::array<int, 64> sums{};
  for (int y = 0; y < thumbnail_side; ++y) {
    for (int x = 0; x < thumbnail_side; ++x) sums[y / block * 8 + x / block] += square[y * thumbnail_side + x];
  }
  uint64_t hash = 0;
  for (int i = 0; i < 64; ++i) hash |= uint64_t{sums[i] > sums[i / 8 * 8 + (i + 1) % 8]} << i;
  return hash;
}

EdgeLine line_of(const Image& grey, Side side) {
  const bool upright = side == left || side == right;
  const int length = upright ? grey.height : grey.width, depth = upright ? grey.width : grey.height;
  const int outer = side == left || side == top ? 0 : depth - 1;
  const int inner = depth == 1 ? outer : outer == 0 ? 1 : outer - 1;
  const auto at = [&](int along, int across) {
    const size_t y = upright ? along : across, x = upright ? across : along;
    return grey.bytes[y * grey.width + x];
  };
  EdgeLine line;
  for (int i = 0; i < length; ++i) {
    line.values.push_back(at(i, outer));
    line.step += std::abs(at(i, outer) - at(i, inner));
  }
  line.step /= length;
  return line;
}

std::string hex_of(const std::vector<uint8_t>& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) text += digits[byte >> 4], text += digits[byte & 15];
  return text;
}

std::vector<uint8_t> bytes_of_hex(const std::string& text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(digit(text[i]) * 16 + digit(text[i + 1])));
  return bytes;
}

void hash_orientations(Fingerprint& print) {
  if (print.thumbnail.empty()) return;
  for (int i = 0; i < orientations; ++i) print.hashes[i] = hash_of(oriented(print.thumbnail, i));
}

}  // namespace

std::vector<uint8_t> oriented(const std::vector<uint8_t>& square, int orientation) {
  constexpr int n = thumbnail_side;
  std::vector<uint8_t> turned(square.size());
  for (int y = 0; y < n; ++y) {
    for (int x = 0; x < n; ++x) {
      int from_y = y, from_x = orientation >= 4 ? n - 1 - x : x;
      for (int turn = 0; turn < orientation % 4; ++turn) {
        const int kept = from_y;
        from_y = n - 1 - from_x;
        from_x = kept;
      }
      turned[y * n + x] = square[from_y * n + from_x];
    }
  }
  return turned;
}

Fingerprint fingerprint_of(const Image& picture, const Image& grey, const LabelMap* map) {
  Fingerprint print;
  print.width = grey.width;
  print.height = grey.height;
  print.pixels = digest_of_values(picture.width, picture.height, picture.channels, picture.bytes);
  print.drawing = drawing_of(grey);
  if (map != nullptr) digest_masks(*map, print);
  print.thumbnail = thumbnail_of(grey);
  hash_orientations(print);
  for (const Side side : {left, right, top, bottom}) print.lines[side] = line_of(grey, side);
  return print;
}

Value to_json(const Fingerprint& print) {
  Value lines = Value::array();
  for (const EdgeLine& line : print.lines) lines.push_back({{"values", hex_of(line.values)}, {"step", line.step}});
  return {{"width", print.width},
          {"height", print.height},
          {"pixels", print.pixels},
          {"objects", print.objects},
          {"drawing", print.drawing},
          {"mask", print.mask},
          {"thumbnail", hex_of(print.thumbnail)},
          {"lines", lines}};
}

Fingerprint fingerprint_from(const Value& json) {
  Fingerprint print;
  print.width = json.at("width");
  print.height = json.at("height");
  print.pixels = json.at("pixels");
  print.objects = json.at("objects");
  print.drawing = json.at("drawing");
  print.mask = json.at("mask");
  print.thumbnail = bytes_of_hex(json.at("thumbnail"));
  hash_orientations(print);
  for (size_t i = 0; i < print.lines.size(); ++i) {
    const Value& line = json.at("lines").at(i);
    print.lines[i] = {bytes_of_hex(line.at("values")), line.at("step")};
  }
  return print;
}

}  // namespace penstock::stages
