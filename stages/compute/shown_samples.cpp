#include "stages/compute/shown_samples.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "stages/draws.h"
#include "stages/images/picture.h"
#include "stages/packs/json_file.h"
#include "stages/packs/sample_pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr int longest_shown = 512;  // side of a picture in the report, pixels

using Chosen = std::vector<std::pair<std::string, std::vector<std::string>>>;  // of each name, ids

Chosen chosen_of(const ShownChoice& choice) {
  std::map<std::string, std::vector<std::pair<uint64_t, std::string>>> drawn;
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& [id, sample] : choice.samples) {
    drawn[sample.subset].emplace_back(Draws(choice.seed, "shown", {}, id).bits(0), id);
    if (sample.dice && sample.subset != "train") ranked.emplace_back(*sample.dice, id);
  }
  Chosen chosen;
  for (const char* subset : {"train", "validation", "test", "unlabelled"}) {
    auto& all = drawn[subset];
    std::sort(all.begin(), all.end());
    auto& ids = chosen.emplace_back(subset, std::vector<std::string>()).second;
    for (size_t i = 0; i < std::min(choice.count, all.size()); ++i) ids.push_back(all[i].second);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> worst, best;
  for (size_t i = 0; i < std::min(choice.count, ranked.size()); ++i) {
    worst.push_back(ranked[i].second);
    best.push_back(ranked[ranked.size() - 1 - i].second);
  }
  chosen.emplace_back("worst", std::move(worst));
  chosen.emplace_back("best", std::move(best));
  return chosen;
}

}  // namespace

void add_shown(PackWriter& pack, const ShownSample& shown) {
  const GridSample& sample = shown.sample;
  const auto at_shown_size = [&](const std::vector<uint8_t>& bytes, int channels) {
    const Image whole{sample.width, sample.height, channels, 8, bytes};
    return shown.reduces ? reduced(whole, longest_shown) : whole;
  };
  const Image image = at_shown_size(shown.image, shown.channels);
  pack.add(pack_entry::image(sample.id), Element::u8, {image.height, image.width, image.channels}, image.bytes);
  if (!sample.mask.empty()) {
    std::vector<uint8_t> covered(sample.mask.size());
    for (size_t i = 0; i < covered.size(); ++i) covered[i] = sample.mask[i] != 0 ? 255 : 0;
    Image truth = at_shown_size(covered, 1);
    for (uint8_t& value : truth.bytes) value = value >= 128;
    pack.add(pack_entry::truth(sample.id), Element::u8, {truth.height, truth.width}, truth.bytes);
  }
  std::vector<uint8_t> bytes(shown.probability.size());
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(std::lround(shown.probability[i] * 255));
  const Image predicted = at_shown_size(bytes, 1);
  pack.add(pack_entry::probability(sample.id), Element::u8, {predicted.height, predicted.width}, predicted.bytes);
}

void publish_shown(const ShownChoice& choice, const std::map<std::string, std::filesystem::path>& packs,
                   const std::filesystem::path& folder) {
  Value selection = {{"schema", 1}};
  std::set<std::string> shown;
  for (const auto& [name, ids] : chosen_of(choice)) {
    selection[name] = ids;
    shown.insert(ids.begin(), ids.end());
  }
  write_json(folder / "selection.json", selection);
  PackWriter pack("report");
  for (const std::string& id : shown) {
    const Pack source(packs.at(id));
    for (const char* what : {"image", "truth", "probability"}) {
      const std::string name = id + "/" + what;
      if (!source.has(name)) continue;
      const PackedArray array = source.array(name);
      pack.add(name, array.element, array.shape, array.bytes);
    }
  }
  pack.write(folder / "report.safetensors");
}

}  // namespace penstock::stages
