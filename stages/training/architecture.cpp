#include "stages/training/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "distributed/error.h"
#include "pipeline/json_number.h"
#include "stages/training/architecture_limits.h"
#include "stages/training/name_table.h"
#include "stages/training/norms.h"
#include "stages/training/unet_layers.h"
#include "stages/training/upsamplings.h"

namespace penstock::stages {

using pipeline::Value;

Value to_json(const Architecture& a) {
  Value json = {
      {"kind", a.kind}, {"in_channels", a.in_channels}, {"base_channels", a.base_channels}, {"depth", a.depth},
      {"norm", a.norm}, {"dropout", a.dropout}};
  if (a.out_channels != 1) json["out_channels"] = a.out_channels;
  if (a.upsampling != Architecture{}.upsampling) json["upsampling"] = a.upsampling;
  if (a.side_outputs != 0) json["side_outputs"] = a.side_outputs;
  return json;
}

Architecture architecture_from_json(const Value& json) {
  Architecture architecture{pipeline::whole_number_in(json, "in_channels", 1, most_in_channels),
                            pipeline::whole_number_in(json, "base_channels", 1, most_base_channels),
                            pipeline::whole_number_in(json, "depth", 1, most_depth),
                            json.at("norm"),
                            pipeline::number_in(json, "dropout", 0, 1),
                            json.at("kind"),
                            pipeline::whole_number_in(json, "out_channels", 1, most_out_channels, 1),
                            json.value("upsampling", Architecture{}.upsampling),
                            pipeline::whole_number_in(json, "side_outputs", 0, most_depth, 0)};
  require_known("network", architecture.kind, names_of(network_rules()));
  require_known("norm", architecture.norm, names_of(norm_rules()));
  require_known("upsampling", architecture.upsampling, names_of(upsampling_rules()));
  if (architecture.side_outputs >= architecture.depth) {
    throw Error(ExitCode::data, fmt::format("its {} side outputs must be fewer than its depth, {}",
                                            architecture.side_outputs, architecture.depth));
  }
  return architecture;
}

int64_t Layer::parameters() const { return std::accumulate(slots.begin(), slots.end(), int64_t{0}); }

namespace {

OpenTable<NetworkRule>& table() {
  static OpenTable<NetworkRule> rules(
      "network", {
                     {"unet", "Ronneberger et al. 2015",
                      [](const Architecture& a, int64_t height, int64_t width) {
                        return unet_layers(a, height, width, plain_unet);
                      }},
                     {"residual_unet", "blocks add to what they are given, Zhang et al. 2018",
                      [](const Architecture& a, int64_t height, int64_t width) {
                        return unet_layers(a, height, width, residual_unet);
                      }},
                     {"attention_unet", "the decoder weighs the pixels of each skip connection, Oktay et al. 2018",
                      [](const Architecture& a, int64_t height, int64_t width) {
                        return unet_layers(a, height, width, attention_unet);
                      }},
                     {"unet++", "each level decodes from every level below and joins all of its own, Zhou et al. 2018",
                      [](const Architecture& a, int64_t height, int64_t width) {
                        return unet_layers(a, height, width, nested_unet);
                      }},
                 });
  return rules;
}

}  // namespace

const std::vector<NetworkRule>& network_rules() { return table().rows(); }

void add_row(NetworkRule rule) { table().add(std::move(rule)); }

std::vector<Layer> layers_of(const Architecture& architecture, int64_t height, int64_t width) {
  return row_of(network_rules(), "network", architecture.kind).layers(architecture, height, width);
}

std::vector<size_t> parameter_slots(const std::vector<Layer>& layers) {
  std::vector<size_t> slots;
  for (const Layer& layer : layers) slots.insert(slots.end(), layer.slots.begin(), layer.slots.end());
  return slots;
}

int64_t statistic_count(const std::vector<Layer>& layers) {
  int64_t count = 0;
  for (const Layer& layer : layers) count += layer.statistics;
  return count;
}

Value describe_layers(const Architecture& architecture, int64_t height, int64_t width) {
  int64_t parameters = 0, flops = 0;
  Value rows = Value::array();
  for (const Layer& layer : layers_of(architecture, height, width)) {
    Value row = {{"name", layer.name},
                 {"kind", layer.kind},
                 {"level", layer.level},
                 {"side", layer.side},
                 {"output", {layer.channels, layer.height, layer.width}},
                 {"parameters", layer.parameters()},
                 {"flops", layer.flops}};
    if (layer.column != 0) row["column"] = layer.column;
    rows.push_back(std::move(row));
    parameters += layer.parameters();
    flops += layer.flops;
  }
  return {{"schema", 1},
          {"input", {architecture.in_channels, height, width}},
          {"parameters", parameters},
          {"flops", flops},
          {"layers", std::move(rows)}};
}

}  // namespace penstock::stages
