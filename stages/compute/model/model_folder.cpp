#include "stages/compute/model/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "pipeline/json_depth.h"
#include "pipeline/json_number.h"
#include "stages/images/file_kind.h"
#include "stages/packs/json_file.h"
#include "stages/packs/pack.h"
#include "stages/resize_modes.h"
#include "stages/training/decoders.h"
#include "stages/training/name_table.h"
#include "stages/training/targets.h"
#include "stages/training/turns.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
namespace fs = std::filesystem;

constexpr const char* weights_name = "weights.safetensors";
constexpr int64_t largest_side = 4096;              // of a network's input: what resize and train.crop allow
constexpr int64_t largest_area = int64_t{1} << 40;  // pixels
constexpr double largest_overlap = 0.9;
constexpr int64_t largest_micro_batch = int64_t{1} << 20;  // samples

std::span<const uint8_t> bytes_of(const float* values, int64_t count) {
  return {reinterpret_cast<const uint8_t*>(values), static_cast<size_t>(count) * sizeof(float)};
}

Value outputs_of(const ModelDescription& model) {
  Value outputs = Value::array();
  for (const std::string& target : model.targets)
    outputs.push_back({{"name", row_of(target_rules(), "target", target).output}, {"activation", "sigmoid"}});
  return outputs;
}

Value instances_of(const ModelDescription& model) {
  const InstanceRules& rules = model.instances;
  Value json = {{"connectivity", rules.connectivity}, {"minimum_area", rules.minimum_area}};
  if (rules.decoder != "components") json["decoder"] = rules.decoder;
  if (decoder_rule(rules.decoder).has_seeds) json["seed_threshold"] = rules.seed_threshold;
  if (rules.fill_holes) json["holes"] = "fill";
  return json;
}

// The targets whose outputs these are; a decoder must find what it needs among them.
std::vector<std::string> targets_of(const Value& outputs) {
  std::vector<std::string> targets, known;
  for (const TargetRule& rule : target_rules()) known.push_back(rule.output);
  for (const Value& output : outputs) {
    require_known("output", output.at("name"), known);
    for (const TargetRule& rule : target_rules()) {
      if (rule.output == output.at("name").get<std::string>()) targets.push_back(rule.name);
    }
  }
  if (const std::string fault = fault_of_targets(targets); !fault.empty())
    throw Error(ExitCode::data, "the outputs are not of a network of ours: " + fault);
  return targets;
}

InstanceRules instances_from(const Value& json, const std::vector<std::string>& targets) {
  InstanceRules rules;
  rules.connectivity = static_cast<int>(pipeline::whole_number_in(json, "connectivity", 4, 8));
  if (rules.connectivity != 4 && rules.connectivity != 8)
    throw Error(ExitCode::data, fmt::format("\"connectivity\" is {}, and must be 4 or 8", rules.connectivity));
  rules.minimum_area = pipeline::whole_number_in(json, "minimum_area", 0, largest_area);
  rules.decoder = json.value("decoder", rules.decoder);
  require_known("decoder", rules.decoder, names_of(decoder_rules()));
  rules.seed_threshold = pipeline::number_in(json, "seed_threshold", 0, 1, rules.seed_threshold);
  const std::string holes = json.value("holes", "keep");
  require_known("rule for holes", holes, {"keep", "fill"});
  rules.fill_holes = holes == "fill";
  if (const DecoderRule& rule = decoder_rule(rules.decoder); !can_decode(rule, targets))
    throw Error(ExitCode::data, fmt::format("the decoder \"{}\" needs an output \"{}\", which this network lacks",
                                            rule.name, rule.target));
  return rules;
}

// Files of the folder itself, each with its digest.
std::vector<std::string> members_from(const Value& json) {
  const std::vector<std::string> members = json.value("members", std::vector<std::string>{weights_name});
  if (members.empty()) throw Error(ExitCode::data, "it lists no members: a model has a file of weights");
  for (const std::string& member : members) {
    if (member.empty() || member.front() == '.' || member.find('/') != std::string::npos)
      throw Error(ExitCode::data,
                  "a member is a file of this folder, not '" + distributed::printable_name(member) + "'");
    json.at("digests").at(member).get_ref<const std::string&>();
  }
  return members;
}

// `digests`: of the members, by file.
Value to_json(const ModelDescription& model, const Value& digests) {
  Value preprocessing = {{"width", model.width},
                         {"height", model.height},
                         {"channels", model.architecture.in_channels},
                         {"normalise", to_json(model.normaliser)}};
  if (model.rule.own_size()) {
    preprocessing["mode"] = model.rule.mode, preprocessing["overlap"] = model.overlap;
    if (resize_mode(model.rule.mode).by_sides)
      preprocessing["fits"] = {{"width", model.rule.width}, {"height", model.rule.height}};
    else
      preprocessing["scale"] = model.rule.scale;
  }
  Value json = {{"schema", 1},
                {"architecture", to_json(model.architecture)},
                {"outputs", outputs_of(model)},
                {"classes", {"background", "nucleus"}},
                {"preprocessing", preprocessing},
                {"threshold", model.threshold},
                {"threshold_rule", model.threshold_rule},
                {"instances", instances_of(model)},
                {"members", model.members},
                {"digests", digests}};
  if (model.turns != "none") json["turns"] = model.turns;
  if (model.tile > 0) json["tile"] = model.tile;
  if (model.micro_batch > 0) json["micro_batch"] = model.micro_batch;
  if (model.averaged > 0) json["averaged"] = model.averaged;
  return json;
}

Value json_of(const fs::path& folder) { return Value::parse(pipeline::read_file(folder / "model.json")); }

// A file of weights that is the one which model.json describes.
fs::path confirmed_file(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / name;
  if (pipeline::digest_of_file(file).hex() != json_of(folder).at("digests").at(name).get<std::string>()) {
    const FileKind kind = kind_of(first_bytes(file), file.string());
    throw Error(ExitCode::data, file.string() + ": is not the file that model.json describes: its digest differs" +
                                    (kind.remedy.empty() ? "" : "; it is " + kind.what + ": " + kind.remedy));
  }
  return file;
}

// model.json, with what is said of the pictures' files (model_input.h), and the table of layers.
void write_with_input(const fs::path& to, Value json, const Value& before, const fs::path& from) {
  if (const Value& grid = before.at("preprocessing"); grid.contains("input"))
    json.at("preprocessing")["input"] = grid.at("input");
  fs::copy_file(from / "architecture.json", to / "architecture.json");  // not linked: it may be a file of the user's
  write_json(to / "model.json", json);
}

// What is averaged must be of the same things, made of the same pictures.
void require_alike(const fs::path& first, const Value& expected, const fs::path& other, const Value& json) {
  for (const char* part : {"architecture", "outputs", "preprocessing"}) {
    if (json.at(part) == expected.at(part)) continue;
    throw Error(
        ExitCode::data,
        fmt::format("an ensemble's members have one {}: {} of {} and {} of {} differ{}", part, expected.at(part).dump(),
                    first.string(), json.at(part).dump(), other.string(),
                    std::string_view(part) == "preprocessing"
                        ? " (with train.normalise = \"zscore\" means depend on the train subset; \"percentile\" "
                          "and \"unit\" do not)"
                        : ""));
  }
}

}  // namespace

std::string write_model(const fs::path& folder, const ModelDescription& model, const FlatLayout& layout,
                        const Weights& weights) {
  PackWriter pack("model");
  for (const auto& slot : layout.parameters)
    pack.add_view(slot.name, Element::f32, slot.shape, bytes_of(weights.parameters.data() + slot.offset, slot.count));
  for (const auto& slot : layout.statistics)
    pack.add_view(slot.name, Element::f32, slot.shape, bytes_of(weights.statistics.data() + slot.offset, slot.count));
  const auto pieces = pack.pieces();
  const std::string digest = pipeline::digest_of(pieces).hex();
  pipeline::write_file(folder / weights_name, pieces);
  write_json(folder / "model.json", to_json(model, {{weights_name, digest}}));
  write_json(folder / "architecture.json", describe_layers(model.architecture, model.height, model.width));
  return digest;
}

ModelDescription read_model_description(const fs::path& folder) {
  const fs::path file = folder / "model.json";
  if (!fs::exists(file)) throw Error(ExitCode::data, folder.string() + ": is not a model folder: it has no model.json");
  try {
    const std::string text = pipeline::read_file(file);
    if (pipeline::is_json_too_deep(text)) throw Error(ExitCode::data, "its lists and objects are nested without end");
    const Value json = Value::parse(text);
    pipeline::whole_number_in(json, "schema", 1, 1);
    const Value& grid = json.at("preprocessing");
    ModelDescription model;
    model.architecture = architecture_from_json(json.at("architecture"));
    model.width = static_cast<int>(pipeline::whole_number_in(grid, "width", 1, largest_side));
    model.height = static_cast<int>(pipeline::whole_number_in(grid, "height", 1, largest_side));
    pipeline::whole_number_in(grid, "channels", model.architecture.in_channels, model.architecture.in_channels);
    if (const int unit = 1 << model.architecture.depth; model.width % unit != 0 || model.height % unit != 0)
      throw Error(ExitCode::data, fmt::format("a network of depth {} takes sides divisible by {}, not {} x {}",
                                              model.architecture.depth, unit, model.width, model.height));
    model.normaliser = normaliser_from_json(grid.at("normalise"));
    if (!model.normaliser.sd.empty() &&
        static_cast<int64_t>(model.normaliser.sd.size()) != model.architecture.in_channels)
      throw Error(ExitCode::data, "it has means and deviations of another number of channels than its architecture");
    model.threshold = pipeline::number_in(json, "threshold", 0, 1);
    model.threshold_rule = json.at("threshold_rule");
    model.targets = targets_of(json.at("outputs"));
    if (static_cast<int64_t>(model.targets.size()) != model.architecture.out_channels)
      throw Error(ExitCode::data, "it lists another number of outputs than its architecture has");
    model.instances = instances_from(json.at("instances"), model.targets);
    model.turns = json.value("turns", model.turns);
    require_known("turns", model.turns, names_of(turn_rules()));
    model.tile = pipeline::whole_number_in(json, "tile", 0, largest_tile, model.tile);
    if (model.tile != 0 && (model.tile < smallest_tile || model.tile > largest_tile)) {
      throw Error(ExitCode::data, fmt::format("its tile has {} pixels a side, which must be {} to {}", model.tile,
                                              smallest_tile, largest_tile));
    }
    model.micro_batch = pipeline::whole_number_in(json, "micro_batch", 0, largest_micro_batch, model.micro_batch);
    model.averaged = pipeline::number_in(json, "averaged", 0, 1, model.averaged);
    model.members = members_from(json);
    // "fits" stands beside the sides of the network's input.
    Value rule = grid;
    if (grid.contains("fits")) rule.update(grid.at("fits"));
    model.rule = sample_rule_from(rule);
    model.overlap = pipeline::number_in(grid, "overlap", 0, largest_overlap, model.overlap);
    return model;
  } catch (const Value::exception& problem) {
    throw Error(ExitCode::data, fmt::format("{}: is not a model's description ({}) {}", file.string(), problem.what(),
                                            but_is(first_bytes(file), file.string())));
  } catch (const Error& problem) {
    throw Error(problem.code(), file.string() + ": " + problem.what());
  }
}

void require_weights(const fs::path& folder, const ModelDescription& model) {
  const auto layers = layers_of(model.architecture, model.height, model.width);
  uint64_t bytes = static_cast<uint64_t>(statistic_count(layers)) * sizeof(float);
  for (const size_t length : parameter_slots(layers)) bytes += length * sizeof(float);
  for (const std::string& member : model.members) {
    std::error_code missing;
    if (const auto size = fs::file_size(folder / member, missing); missing || size < bytes) {
      const fs::path file = confirmed_file(folder, member);  // it may be missing, or be another file altogether
      throw Error(ExitCode::data, fmt::format("{}: is too short for the architecture of model.json, whose numbers "
                                              "take {} bytes; is one of the two of another model?",
                                              file.string(), pipeline::with_commas(bytes)));
    }
  }
}

fs::path weights_file_of(const fs::path& folder) {
  const ModelDescription model = read_model_description(folder);
  if (model.members.size() == 1) return confirmed_file(folder, model.members.front());
  throw Error(ExitCode::data, fmt::format("{}: is an ensemble of {} members; name one of its files instead, such as {}",
                                          folder.string(), model.members.size(), model.members.front()));
}

Weights read_weights(const fs::path& folder, const FlatLayout& layout, const std::string& name) {
  const fs::path file = confirmed_file(folder, name);
  const Pack pack(file);
  Weights weights{std::vector<float>(layout.parameter_count), std::vector<float>(layout.statistic_count)};
  const auto read = [&](const FlatLayout::Slot& slot, std::vector<float>& to) {
    const PackedArray array = pack.array(slot.name);
    if (array.element != Element::f32 || array.shape != slot.shape) {
      throw Error(ExitCode::data, fmt::format("{}: tensor '{}' does not have the shape that the architecture requires",
                                              file.string(), slot.name));
    }
    std::memcpy(to.data() + slot.offset, array.bytes.data(), array.bytes.size());
  };
  for (const auto& slot : layout.parameters) read(slot, weights.parameters);
  for (const auto& slot : layout.statistics) read(slot, weights.statistics);
  return weights;
}

void rewrite_model(const fs::path& from, const fs::path& to, const ModelDescription& model) {
  const Value before = json_of(from);
  for (const std::string& member : model.members) fs::copy_file(from / member, to / member);
  write_with_input(to, to_json(model, before.at("digests")), before, from);
}

void write_ensemble(std::span<const fs::path> models, const fs::path& to) {
  PENSTOCK_CHECK(!models.empty(), "an ensemble has members");
  const Value first = json_of(models.front());
  ModelDescription ensemble = read_model_description(models.front());
  ensemble.members.clear();
  Value digests = Value::object();
  for (const fs::path& model : models) require_alike(models.front(), first, model, json_of(model));
  for (const fs::path& model : models) {
    const Value json = json_of(model);
    for (const std::string& member : read_model_description(model).members) {
      ensemble.members.push_back(fmt::format("weights_{}.safetensors", ensemble.members.size() + 1));
      fs::copy_file(confirmed_file(model, member), to / ensemble.members.back());
      digests[ensemble.members.back()] = json.at("digests").at(member);
    }
  }
  const ModelDescription fresh;
  ensemble.threshold = fresh.threshold, ensemble.threshold_rule = fresh.threshold_rule;
  ensemble.instances = fresh.instances, ensemble.turns = fresh.turns, ensemble.tile = fresh.tile;
  write_with_input(to, to_json(ensemble, digests), first, models.front());
}

}  // namespace penstock::stages
