// What the report shows of an evaluation: some samples of each subset, and the best and worst, as pictures of a size
// that can be mailed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stages/compute/data/shard_reader.h"
#include "stages/packs/pack.h"

namespace penstock::stages {

// A sample and what the model says of it.
struct ShownSample {
  const GridSample& sample;
  const std::vector<uint8_t>& image;  // of the sample, in 8 bits
  int channels = 0;
  std::span<const float> probability;  // of the sample's pixels
  bool reduces = false;                // pictures longer than 512 pixels
};
// Image, truth where there is one, and probability: the entries of pack_entry (sample_pack.h).
void add_shown(PackWriter& pack, const ShownSample& shown);

// Seeded draws of each subset, and the best and worst by native Dice over validation and test: `count` of each at most.
struct ShownChoice {
  struct Sample {
    std::string subset;
    std::optional<double> dice;
  };
  size_t count = 0;
  int64_t seed = 0;
  std::map<std::string, Sample> samples;  // by id
};
// selection.json and report.safetensors in `folder`; `packs` has of each sample the file that add_shown() wrote to.
void publish_shown(const ShownChoice& choice, const std::map<std::string, std::filesystem::path>& packs,
                   const std::filesystem::path& folder);

}  // namespace penstock::stages
