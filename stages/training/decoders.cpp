#include "stages/training/decoders.h"

#include <algorithm>

#include "stages/training/name_table.h"

namespace penstock::stages {

namespace {

OpenTable<DecoderRule>& table() {
  static OpenTable<DecoderRule> rules(
      "decoder",
      {
          {.name = "components", .help = "connected foreground is one object"},
          {.name = "distance",
           .help = "foreground is cut where it is narrow between its innermost places, so that round objects which "
                   "touch are "
                   "told apart"},
          {.name = "directions",
           .help =
               "foreground is divided among the hills of the surface whose slopes fit horizontal and vertical best; "
               "a hill that rises above the pass to a higher one by less than the share seed_threshold of its "
               "height belongs to that",
           .target = "horizontal",
           .has_seeds = true},
          {.name = "watershed",
           .help = "objects grow over the foreground from where foreground exceeds border by the seed threshold",
           .target = "border",
           .has_seeds = true},
          {.name = "border_distance",
           .help = "as watershed, but what exceeds border is also cut where it is narrow",
           .target = "border",
           .has_seeds = true},
          {.name = "interior",
           .help = "objects grow over the foreground from where interior exceeds the seed threshold",
           .target = "interior",
           .has_seeds = true},
          {.name = "interior_distance",
           .help = "as interior, but what exceeds the threshold is also cut where it is narrow",
           .target = "interior",
           .has_seeds = true},
          {.name = "interior_hills",
           .help = "foreground is divided among the hills of interior, as hills does with distance",
           .target = "interior",
           .has_seeds = true},
          {.name = "hills",
           .help =
               "foreground is divided among the hills of the learned distance; a hill that rises above the pass to a "
               "higher one by less than the share seed_threshold of its height belongs to that",
           .target = "distance",
           .has_seeds = true},
          {.name = "hilltops",
           .help = "objects grow over the foreground from where the learned distance exceeds the seed threshold",
           .target = "distance",
           .has_seeds = true},
      });
  return rules;
}

}  // namespace

const std::vector<DecoderRule>& decoder_rules() { return table().rows(); }

void add_row(DecoderRule rule) { table().add(std::move(rule)); }

const DecoderRule& decoder_rule(std::string_view name) { return row_of(decoder_rules(), "decoder", name); }

bool can_decode(const DecoderRule& rule, const std::vector<std::string>& targets) {
  return rule.target.empty() || std::count(targets.begin(), targets.end(), rule.target) > 0;
}

std::string usual_decoder(const std::vector<std::string>& targets) {
  for (const DecoderRule& rule : decoder_rules()) {
    if (!rule.target.empty() && can_decode(rule, targets)) return rule.name;
  }
  return decoder_rules().front().name;
}

}  // namespace penstock::stages
