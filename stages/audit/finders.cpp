#include "stages/audit/finders.h"

#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "pipeline/counted.h"

namespace penstock::stages::audit_finders {
namespace {

using pipeline::counted;

struct One {
  double number = 0;
  std::string text;
};

// The findings that samples make alone.
Found each(const AuditedSet& set, const std::function<std::optional<One>(const Measurements&)>& look) {
  Found found;
  for (size_t i = 0; i < set.rows.size(); ++i) {
    if (const auto one = look(set.rows[i])) found.push_back({{i}, one->number, one->text});
  }
  return found;
}

// Labelled samples of which a count or share is over the limit; `text` takes the number.
Found over(const AuditedSet& set, double limit, const std::function<double(const Measurements&)>& number,
           const std::function<std::string(double)>& text) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (!row.labelled || number(row) <= limit) return std::nullopt;
    return One{number(row), text(number(row))};
  });
}

std::string percent(double share) { return fmt::format("{:.{}f} %", 100 * share, share < 0.01 ? 2 : 0); }

// What of the pictures differs from what more than `limit` of them have; nothing where there is no such majority.
template <typename Kind>
Found odd(const AuditedSet& set, double limit, const Kind& kind_of) {
  std::map<std::string, size_t> counts;
  for (const Measurements& row : set.rows) ++counts[kind_of(row)];
  for (const auto& [usual, count] : counts) {
    const double share = static_cast<double>(count) / static_cast<double>(set.rows.size());
    if (share <= limit) continue;
    return each(set, [&, usual = usual](const Measurements& row) -> std::optional<One> {
      if (kind_of(row) == usual) return std::nullopt;
      return One{share, fmt::format("its picture is {}, where {} of the pictures are {}", kind_of(row), percent(share),
                                    usual)};
    });
  }
  return {};
}

}  // namespace

// ---- one picture ----

Found blank_with_objects(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (static_cast<double>(row.range) > limit || row.shape.objects == 0) return std::nullopt;
    return One{static_cast<double>(row.range),
               fmt::format("its picture has no contrast, and yet {}: give the right picture, or exclude it",
                           counted(row.shape.objects, "object"))};
  });
}

Found blank(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (static_cast<double>(row.range) > limit || row.shape.objects > 0) return std::nullopt;
    return One{static_cast<double>(row.range), "its picture has no contrast: nothing can be seen in it; exclude it"};
  });
}

Found saturated(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (row.saturated <= limit || static_cast<double>(row.range) <= 1) return std::nullopt;
    return One{row.saturated,
               fmt::format("{} of its picture are white (255): overexposed, or resize.contrast cuts it off",
                           percent(row.saturated))};
  });
}

// ---- one mask ----

Found overlapping(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (row.overlaps == 0) return std::nullopt;
    const double labelled = row.shape.foreground * row.print.width * row.print.height;
    const double share = labelled > 0 ? static_cast<double>(row.overlaps) / labelled : 1;
    if (share <= limit) return std::nullopt;
    return One{share,
               fmt::format("{} claimed by two masks or more ({} of the labelled ones): the first mask keeps them",
                           counted(row.overlaps, "pixel"), percent(share))};
  });
}

Found empty(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (!row.labelled) return std::nullopt;
    const auto masks = static_cast<double>(row.empty_masks);
    if (row.shape.objects == 0)
      return One{masks, "labelled, but without any object: right only where the picture shows none"};
    if (masks <= limit) return std::nullopt;
    return One{masks, fmt::format("{} without a pixel: give the object, or delete the file",
                                  counted(row.empty_masks, "mask"))};
  });
}

Found in_pieces(const AuditedSet& set, double limit) {
  return over(
      set, limit, [](const Measurements& row) { return static_cast<double>(row.shape.in_pieces); },
      [](double number) {
        return fmt::format("{} of several separate areas: one object is labelled in pieces, or several are merged",
                           counted(static_cast<int64_t>(number), "object"));
      });
}

Found with_holes(const AuditedSet& set, double limit) {
  return over(
      set, limit, [](const Measurements& row) { return static_cast<double>(row.shape.with_holes); },
      [](double number) {
        return fmt::format("{} with a hole: fill it where the object has none",
                           counted(static_cast<int64_t>(number), "object"));
      });
}

Found tiny(const AuditedSet& set, double limit) {
  return over(
      set, limit, [](const Measurements& row) { return static_cast<double>(row.shape.tiny); },
      [](double number) {
        return fmt::format("{} far smaller than the others: a slip of the pen, or a crumb of another mask",
                           counted(static_cast<int64_t>(number), "object"));
      });
}

Found giant(const AuditedSet& set, double limit) {
  return over(
      set, limit, [](const Measurements& row) { return row.shape.largest; },
      [](double number) {
        return fmt::format("one object covers {} of the image: the background may be labelled, or objects be merged",
                           percent(number));
      });
}

Found inverted(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (row.shape.foreground <= 0.5 || row.shape.border <= limit) return std::nullopt;
    return One{row.shape.border,
               fmt::format("{} of the image and {} of its border are labelled: the mask may be inverted",
                           percent(row.shape.foreground), percent(row.shape.border))};
  });
}

// ---- a mask and its picture ----

Found unlike_otsu(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    if (row.shape.objects == 0) return std::nullopt;
    const double otsu = row.objects_darker ? 1 - row.above_otsu : row.above_otsu;
    const double difference = std::abs(row.shape.foreground - otsu);
    if (difference <= limit) return std::nullopt;
    return One{difference,
               fmt::format("{} of it are labelled, where a threshold (Otsu's) gives {}: objects may be missing, "
                           "or the mask belong to another picture",
                           percent(row.shape.foreground), percent(otsu))};
  });
}

// A better place must be clearly better: a quarter more, and 0.3 standard deviations of the gradient.
Found shifted(const AuditedSet& set, double limit) {
  return each(set, [&](const Measurements& row) -> std::optional<One> {
    const Alignment& at = row.alignment;
    const double distance = std::max(std::abs(at.dx), std::abs(at.dy));
    if (distance < limit || at.best < 0.5 || at.best < at.here * 1.25 + 0.3) return std::nullopt;
    return One{distance,
               fmt::format("its outlines fit the picture's edges better when moved by {} pixels to the right and {} "
                           "down ({:.2f} against {:.2f}): the mask may be shifted",
                           at.dx, at.dy, at.best, at.here)};
  });
}

// ---- several pictures ----

Found masks_differ(const AuditedSet& set, double limit) {
  Found found;
  for (const auto& members : set.copies) {
    std::set<std::string> masks;
    for (const size_t member : members) {
      if (set.rows[member].labelled) masks.insert(set.rows[member].print.objects);
    }
    if (static_cast<double>(masks.size()) < limit) continue;
    found.push_back(
        {members, static_cast<double>(masks.size()),
         fmt::format("{} with the same pixels have {} different masks: keep the right one, exclude the others",
                     counted(static_cast<int64_t>(members.size()), "picture"), masks.size())});
  }
  return found;
}

Found picture_is_mask(const AuditedSet& set, double) {
  std::map<std::string, size_t> masks;
  for (size_t i = 0; i < set.rows.size(); ++i) {
    if (!set.rows[i].print.mask.empty()) masks.emplace(set.rows[i].print.mask, i);
  }
  Found found;
  for (size_t i = 0; i < set.rows.size(); ++i) {
    const auto mask = set.rows[i].print.drawing.empty() ? masks.end() : masks.find(set.rows[i].print.drawing);
    if (mask == masks.end()) continue;
    const Measurements& whose = set.rows[mask->second];
    std::vector<size_t> samples = {i};
    if (mask->second != i) samples.push_back(mask->second);
    found.push_back({samples, 1,
                     fmt::format("its picture is the mask of {}: give the picture itself, or exclude it",
                                 mask->second == i ? "the same sample" : "'" + whose.entry + "'")});
  }
  return found;
}

Found copies(const AuditedSet& set, double) {
  Found found;
  for (const auto& members : set.copies) {
    found.push_back({members, static_cast<double>(members.size()),
                     fmt::format("{} with the same pixels: exclude all but one, or split by group",
                                 counted(static_cast<int64_t>(members.size()), "picture"))});
  }
  return found;
}

Found near_copies(const AuditedSet& set, double) {
  Found found;
  for (const Likeness& pair : set.near_copies) {
    std::string how;
    if (pair.orientation % 4 != 0) how += fmt::format(", turned by {} degrees", 90 * (pair.orientation % 4));
    if (pair.orientation >= 4) how += ", mirrored";
    found.push_back({{pair.first, pair.second},
                     pair.correlation,
                     fmt::format("two pictures are nearly the same{}: exclude one, or split by group", how)});
  }
  return found;
}

Found tiles(const AuditedSet& set, double limit) {
  std::set<size_t> touching;
  for (const Likeness& pair : set.tiles) touching.insert(set.group[pair.first]);
  Found found;
  for (const size_t group : touching) {
    AuditFinding one;
    for (size_t i = 0; i < set.rows.size(); ++i) {
      if (set.group[i] == group) one.samples.push_back(i);
    }
    one.number = static_cast<double>(one.samples.size());
    if (one.number < limit) continue;
    one.text = fmt::format("{} seem to be cut from one: split by group, so that none is tested on its neighbour",
                           counted(static_cast<int64_t>(one.samples.size()), "picture"));
    found.push_back(std::move(one));
  }
  return found;
}

// ---- a picture and the rest ----

Found odd_depth(const AuditedSet& set, double limit) {
  return odd(set, limit,
             [](const Measurements& row) { return fmt::format("of {} channels of {} bits", row.channels, row.bits); });
}

Found odd_size(const AuditedSet& set, double limit) {
  return odd(set, limit, [](const Measurements& row) {
    return fmt::format("of {} x {} pixels", row.print.width, row.print.height);
  });
}

Found odd_look(const AuditedSet& set, double limit) {
  return odd(set, limit, [](const Measurements& row) { return "of the look " + row.look; });
}

}  // namespace penstock::stages::audit_finders
