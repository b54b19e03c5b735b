#include "stages/training/normalisations.h"

#include <fmt/format.h>

#include "pipeline/counted.h"
#include "stages/training/name_table.h"

namespace penstock::stages {

const std::vector<NormalisationRule>& normalisation_rules() {
  static const std::vector<NormalisationRule> rules = {
      {.name = "unit", .help = "0 to 1"},
      {.name = "zscore", .help = "mean 0, deviation 1 over the train subset", .by_channel = true},
      {.name = "percentile", .help = "each image's percentiles become 0 and 1: train.percentiles", .by_image = true},
  };
  return rules;
}

const NormalisationRule& normalisation_rule(std::string_view name) {
  return row_of(normalisation_rules(), "normalisation", name);
}

std::vector<std::string> normalise_choices() {
  std::vector<std::string> names = names_of(normalisation_rules());
  names.emplace_back(chosen_by_data);
  return names;
}

std::string help_of_normalise() {
  return help_of(normalisation_rules()) +
         fmt::format(
             ", {} (unit where all pictures have 8 bits and some are coloured, else percentile; needs the input "
             "metadata, and model.json says which it was)",
             chosen_by_data);
}

ChosenNormalisation chosen_normalisation(const pipeline::Value& metadata) {
  int64_t all = 0, deep = 0, coloured = 0;
  for (const pipeline::Value& image : metadata.at("images")) {
    ++all;
    deep += image.at("bits") != 8;
    coloured += image.at("look") == "stained";
  }
  const std::string of = "of " + pipeline::counted(all, "picture");
  if (deep > 0) return {"percentile", fmt::format("{} {} have more than 8 bits", deep, of)};
  if (coloured == 0) return {"percentile", fmt::format("none {} is coloured", of)};
  return {"unit", fmt::format("all have 8 bits, and {} {} are coloured", coloured, of)};
}

}  // namespace penstock::stages
