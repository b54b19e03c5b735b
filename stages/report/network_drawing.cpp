#include "stages/report/network_drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "distributed/check.h"
#include "stages/report/report_charts.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// Sizes in the drawing's units.
constexpr double top = 52, box_width = 118, box_height = 44, level_height = 66, middle = 380, slope = 62,
                 inner_gap = 70;  // between a level of the encoder and the middle, beside the slope

constexpr const char* arrow_head =
    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
    "orient=\"auto\"><path d=\"M0 0L8 4L0 8Z\" fill=\"#6b7280\"/></marker></defs>";

// The sides that architecture.json knows. The output has no box of its own.
struct Side {
  std::string_view name;
  int direction;  // of its boxes from the middle
  const char* color;
};
constexpr Side sides[] = {{"bottleneck", 0, orange}, {"decoder", 1, green}, {"encoder", -1, blue}, {"output", 0, grey}};

const Side& side_named(std::string_view name) {
  const auto found =
      std::find_if(std::begin(sides), std::end(sides), [&](const Side& side) { return side.name == name; });
  PENSTOCK_CHECK(found != std::end(sides), fmt::format("a layer's side is encoder, bottleneck, decoder or output, not "
                                                       "'{}'",
                                                       name));
  return *found;
}

struct Point {
  double x, y;
};

// Where a block stands: a nested decoder has several a level, from its first column to the last, on the right.
struct Place {
  const Side* side;
  int level, column;

  auto operator<=>(const Place&) const = default;
};

class Drawing {
 public:
  explicit Drawing(const Value& architecture) {
    for (const Value& layer : architecture.at("layers")) {
      const int level = layer.at("level");
      depth_ = std::max(depth_, level);
      const auto shape = layer.at("output").get<std::vector<int64_t>>();
      PENSTOCK_CHECK(shape.size() == 3, "a layer's output is channels x height x width");
      const int column = layer.value("column", 0);
      nested_ |= column != 0;
      blocks_[{&side_named(layer.at("side").get_ref<const std::string&>()), level, column}] = shape;
    }
  }

  std::string draw() {
    svg_ = arrow_head;
    for (int level = 0; level < depth_; ++level) nested_ ? draw_nested_arrows_of(level) : draw_arrows_of(level);
    for (const auto& [place, shape] : blocks_) {
      if (place.side->name != "output")
        draw_box(place, shape);
      else if (place.level > 0 || place.column > 0)
        draw_side_output(place);
    }
    draw_ends();
    const double half = depth_ * slope + inner_gap + box_width / 2 + 60;
    return fmt::format(
        "<svg class=\"network\" role=\"img\" aria-label=\"U-Net\" viewBox=\"{:.0f} 0 {:.0f} {:.0f}\">{}</svg>\n",
        middle - half, 2 * half, top + level_height * (depth_ + 1) + 10, svg_);
  }

 private:
  // Encoder on the left, decoder on the right, both nearing the bottleneck with each level.
  Point centre(std::string_view side, int level) const {
    const double away = (depth_ - level) * slope + (level == depth_ ? 0 : inner_gap);
    return {middle + side_named(side).direction * away, top + level_height * level + box_height / 2 - 10};
  }
  // Of a nested network, column 0 being the encoder.
  Point centre_of_column(int level, int column) const {
    if (level == depth_) return centre("bottleneck", level);
    const Point first = centre("encoder", level), last = centre("decoder", level);
    return {first.x + (last.x - first.x) * column / (depth_ - level), first.y};
  }

  void arrow(Point from, Point to, const char* kind) {
    svg_ += fmt::format(
        "<line class=\"{}\" x1=\"{:.0f}\" y1=\"{:.0f}\" x2=\"{:.0f}\" y2=\"{:.0f}\" marker-end=\"url(#tip)\"/>", kind,
        from.x, from.y, to.x, to.y);
  }

  // The skip connection of a level, down into the next one, and up from it.
  void draw_arrows_of(int level) {
    const bool last = level + 1 == depth_;
    const Point encoder = centre("encoder", level), decoder = centre("decoder", level);
    const Point below_left = centre(last ? "bottleneck" : "encoder", level + 1);
    const Point below_right = centre(last ? "bottleneck" : "decoder", level + 1);
    const double inset = last ? 30 : 0;  // the two arrows of the bottleneck, side by side
    arrow({encoder.x + box_width / 2, encoder.y}, {decoder.x - box_width / 2 - 2, decoder.y}, "skip");
    arrow({encoder.x, encoder.y + box_height / 2}, {below_left.x - inset, below_left.y - box_height / 2 - 2}, "flow");
    arrow({below_right.x + inset, below_right.y - box_height / 2}, {decoder.x, decoder.y + box_height / 2 + 2}, "flow");
  }

  // Down the encoder, along each level, and up to each node from the one before it of the level below.
  void draw_nested_arrows_of(int level) {
    const Point encoder = centre("encoder", level), below = centre_of_column(level + 1, 0);
    arrow({encoder.x - 20, encoder.y + box_height / 2}, {below.x - 20, below.y - box_height / 2 - 2}, "flow");
    for (int column = 1; column <= depth_ - level; ++column) {
      const Point before = centre_of_column(level, column - 1), at = centre_of_column(level, column);
      const Point under = centre_of_column(level + 1, column - 1);
      arrow({before.x + box_width / 2, before.y}, {at.x - box_width / 2 - 2, at.y}, "skip");
      arrow({under.x + 20, under.y - box_height / 2}, {at.x, at.y + box_height / 2 + 2}, "flow");
    }
  }

  void draw_box(const Place& place, const std::vector<int64_t>& shape) {
    const Side& side = *place.side;
    const auto [x, y] =
        place.column == 0 ? centre(side.name, place.level) : centre_of_column(place.level, place.column);
    const bool inner = place.column != 0 && place.column < depth_ - place.level;
    svg_ += fmt::format(
        "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{}\" fill-opacity=\"0.14\" "
        "stroke=\"{}\"/>",
        x - box_width / 2, y - box_height / 2, box_width, box_height, side.color, side.color);
    svg_ += fmt::format(
        "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.0f}\" y=\"{:.0f}\">{} × {} × {}</text><text "
        "class=\"small\" text-anchor=\"middle\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>",
        x, y - 3, shape[0], shape[1], shape[2], x, y + 13,
        side.direction == 0 ? std::string(side.name)
        : inner             ? fmt::format("level {}, column {}", place.level, place.column)
                            : fmt::format("{} level {}", side.name, place.level));
  }

  // Deep supervision: out of a level of the decoder, or of a column of a nested one.
  void draw_side_output(const Place& place) {
    const auto [x, y] = place.column == 0 ? centre("decoder", place.level) : centre_of_column(0, place.column);
    if (place.column == 0)
      arrow({x + box_width / 2, y}, {x + box_width / 2 + 32, y}, "skip");
    else
      arrow({x, y - box_height / 2}, {x, y - box_height / 2 - 16}, "skip");
    svg_ += fmt::format("<text class=\"small\" x=\"{:.0f}\" y=\"{:.0f}\">in training</text>",
                        x + (place.column == 0 ? box_width / 2 + 2 : 6),
                        place.column == 0 ? y - 8 : y - box_height / 2 - 6);
  }

  // Image in, probability out, and what the dashed arrows are.
  void draw_ends() {
    const Point in = centre("encoder", 0), out = centre("decoder", 0);
    arrow({in.x - box_width / 2 - 34, in.y}, {in.x - box_width / 2 - 2, in.y}, "flow");
    arrow({out.x + box_width / 2, out.y}, {out.x + box_width / 2 + 32, out.y}, "flow");
    svg_ += fmt::format(
        "<text class=\"small\" text-anchor=\"middle\" x=\"{:.0f}\" y=\"{:.0f}\">skip connections: "
        "concatenation{}</text>",
        middle, in.y - (nested_ ? 32 : 8), nested_ ? " of all nodes before" : "");
    svg_ += fmt::format(
        "<text class=\"small\" x=\"{:.0f}\" y=\"{:.0f}\">image</text><text class=\"small\" x=\"{:.0f}\" "
        "y=\"{:.0f}\">probability</text>",
        in.x - box_width / 2 - 36, in.y - 8, out.x + box_width / 2 + 2, out.y - 8);
  }

  std::map<Place, std::vector<int64_t>> blocks_;  // the output of each block's last layer, channels x height x width
  int depth_ = 0;
  bool nested_ = false;
  std::string svg_;
};

}  // namespace

std::string network_drawing(const Value& architecture) { return Drawing(architecture).draw(); }

}  // namespace penstock::stages
