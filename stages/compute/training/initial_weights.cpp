#include "stages/compute/training/initial_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "distributed/error.h"
#include "pipeline/counted.h"
#include "stages/packs/pack.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

fs::path file_of(const fs::path& init) {
  if (fs::is_regular_file(init)) return init;
  if (fs::exists(init / "model.json")) return weights_file_of(init);
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(init)) {
    if (entry.path().extension() == ".safetensors") found.push_back(entry.path());
  }
  if (found.size() == 1) return found.front();
  throw Error(ExitCode::data,
              fmt::format("{}: the input init is a model folder (with model.json) or a safetensors file; "
                          "this folder holds {}",
                          init.string(), pipeline::counted(static_cast<int64_t>(found.size()), "safetensors file")));
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// Why this tensor of the file is not the slot's; empty: it is.
std::string misfit(const Pack& pack, const FlatLayout::Slot& slot) {
  if (!pack.has(slot.name)) return "not there";
  const PackedArray array = pack.array(slot.name);
  if (array.shape != slot.shape) return shape_text(array.shape) + " there, " + shape_text(slot.shape) + " here";
  return array.element == Element::f32 ? "" : "not float32 there";
}

// The first few of a list, and how many more.
std::string listed(const std::vector<std::string>& all) {
  constexpr size_t shown = 6;
  const std::vector<std::string> first(all.begin(), all.begin() + static_cast<int64_t>(std::min(shown, all.size())));
  const std::string more = all.size() > shown ? fmt::format(" and {} more", all.size() - shown) : "";
  return fmt::format("{}{}", fmt::join(first, ", "), more);
}

}  // namespace

InitialWeights initial_weights(const fs::path& init, const FlatLayout& layout, const Weights& own,
                               std::string_view layers) {
  const fs::path file = file_of(init);
  const Pack pack(file);
  InitialWeights initial{own, 0, {}, {}};
  std::set<std::string> known;
  const auto take = [&](const FlatLayout::Slot& slot, std::vector<float>& to) {
    known.insert(slot.name);
    const bool chosen = layers != "encoder" || is_of_encoder(slot);
    const std::string reason = chosen ? misfit(pack, slot) : "not of the encoder";
    if (!reason.empty()) {
      initial.anew.push_back(fmt::format("{} ({})", slot.name, reason));
      return;
    }
    const PackedArray array = pack.array(slot.name);
    std::memcpy(to.data() + slot.offset, array.bytes.data(), array.bytes.size());
    ++initial.taken;
  };
  for (const auto& slot : layout.parameters) take(slot, initial.weights.parameters);
  for (const auto& slot : layout.statistics) take(slot, initial.weights.statistics);
  for (const std::string& name : pack.names()) {
    if (!known.count(name)) initial.unused.push_back(name);
  }
  if (layers == "all" && !initial.anew.empty()) {
    throw Error(
        ExitCode::config,
        fmt::format("{}: {} of the network's {} tensors are not in it: {}; set train.init_layers to \"matching\" to "
                    "take the others, or give the network the model's parameters",
                    file.string(), initial.anew.size(), known.size(), listed(initial.anew)));
  }
  if (initial.taken == 0) {
    throw Error(ExitCode::config,
                fmt::format("{}: no tensor of the network is in it: {}", file.string(), listed(initial.anew)));
  }
  return initial;
}

std::string described(const InitialWeights& initial, const fs::path& init) {
  std::string text =
      fmt::format("{} of {} tensors from {}", initial.taken, initial.taken + initial.anew.size(), init.string());
  if (!initial.anew.empty()) text += "; from the seed: " + listed(initial.anew);
  if (!initial.unused.empty()) text += "; not used: " + listed(initial.unused);
  return text;
}

}  // namespace penstock::stages
