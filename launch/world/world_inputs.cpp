#include "launch/world/world_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "launch/world/measurements.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/packs/data_summary.h"
#include "stages/packs/sample_pack.h"
#include "stages/resize_modes.h"
#include "stages/training/balances.h"
#include "stages/training/training_layout.h"

namespace penstock::launch {
namespace {

using pipeline::Node;
using pipeline::Value;
using stages::TrainParameters;

constexpr int most_ranks = 1 << 20;

std::string measuring_command(const stages::Workload& workload) {
  const TrainParameters& p = workload.parameters;
  std::string command =
      fmt::format("penstock bench train --base-channels {} --depth {} --size {} --batch {} --micro-batch {}",
                  p.base_channels, p.depth, workload.width, p.global_batch, p.micro_batch);
  if (p.norm != "batch") command += " --norm " + p.norm;
  if (workload.channels != 3) command += fmt::format(" --channels {}", workload.channels);
  return command;
}

std::string on(int ranks, int threads) {
  return pipeline::counted(ranks, "rank") + " x " + pipeline::counted(threads, "thread");
}

}  // namespace

std::vector<int> rank_counts(const std::string& world) {
  std::vector<int> counts;
  std::istringstream parts(world);
  for (std::string part; std::getline(parts, part, ',');) {
    const bool digits = !part.empty() && part.size() < 8 &&
                        std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    const int count = digits ? std::stoi(part) : 0;
    if (count < 1 || count > most_ranks)
      throw Error(ExitCode::usage,
                  fmt::format("plan --world: '{}' is not a number of ranks from 1 to {}; several: --world 1,2,4,8",
                              part, most_ranks));
    counts.push_back(count);
  }
  if (counts.empty() || world.back() == ',')
    throw Error(ExitCode::usage,
                fmt::format("plan --world: '{}' is not a list of rank counts: --world 8, or --world 1,2,4,8", world));
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

KnownFabric fabric_of(const WorldFlags& flags) {
  const auto link = [](const std::string& text) -> stages::NamedLink {
    if (text != "measured") return stages::link_of(text);
    const Value found = measured_link();
    if (found.is_null())
      throw Error(
          ExitCode::usage,
          "plan --link measured: nothing was measured on this machine; this measures it: mpirun -np 2 --bind-to none "
          "penstock bench reduce");
    return {"measured",
            {found.at("link").at("latency_seconds"), found.at("link").at("bytes_per_second")},
            fmt::format("penstock bench reduce here, {}, {} ranks", found.at("time").get<std::string>(),
                        found.at("ranks").get<int>())};
  };
  const auto described = [](const stages::NamedLink& one) {
    return fmt::format("{}: {} ({})", one.name, stages::figures_of(one.link), one.source);
  };
  if (flags.link.empty()) {
    if (!flags.node_link.empty())
      throw Error(ExitCode::usage,
                  "plan --node-link is the link within a node; --link NAME, the link between nodes, is missing");
    return {std::nullopt,
            "not given; --link NAME says how ranks are joined: infiniband-hdr, ethernet-25g, ... or 5us,12GB/s, or "
            "measured"};
  }
  const stages::NamedLink between = link(flags.link);
  if (flags.ranks_per_node == 0 && !flags.node_link.empty())
    throw Error(ExitCode::usage, "plan --node-link needs --ranks-per-node K");
  const stages::NamedLink inside = flags.node_link.empty() ? between : link(flags.node_link);
  KnownFabric known{distributed::Fabric{inside.link, between.link, flags.ranks_per_node}, described(between)};
  if (flags.ranks_per_node > 0)
    known.description += fmt::format("; {} ranks a node, joined by {}; a ring is as fast as its slowest link",
                                     flags.ranks_per_node, flags.node_link.empty() ? "the same" : described(inside));
  return known;
}

// Null where there is no such port or file.
const Value& TrainingInputs::json(const std::vector<pipeline::PublishedPort>& ports, const std::string& port,
                                  const char* file) {
  static const Value none;
  for (const auto& one : ports) {
    if (one.port != port) continue;
    const auto [found, fresh] = files_.try_emplace(one.digest.hex() + "/" + file);
    try {
      if (fresh) found->second = Value::parse(pipeline::read_file(planned_.store.object_files(one.digest) / file));
    } catch (const std::exception&) {
      // Removed or damaged: as if it were not there.
    }
    return found->second;
  }
  return none;
}

const Value& TrainingInputs::json(const Node* node, const std::string& port, const char* file) {
  static const std::vector<pipeline::PublishedPort> none;
  const auto published = node == nullptr ? nullptr : planned_.plan.nodes[node - planned_.graph.nodes.data()].published;
  return json(published ? published->ports : none, port, file);
}

// Whether it trains on crops of samples that keep their own size.
bool TrainingInputs::own_sizes(const Node& train) {
  const Value& index = json(nearest_upstream(planned_.graph, train, "shard"), "shards", "index.json");
  if (!index.is_null()) return stages::resize_mode(index.value("mode", "squash")).own_size;
  const Node* resize = nearest_upstream(planned_.graph, train, "resize");
  return resize != nullptr && stages::resize_mode(resize->value("mode").get<std::string>()).own_size;
}

void TrainingInputs::find_grid(const Node& train, stages::Workload& workload) {
  const auto take = [&](const Value& channels, const Value& height, const Value& width) {
    workload.channels = channels, workload.height = height, workload.width = width;
  };
  const auto take_crop = [&](const Value& channels) {
    take(channels, workload.parameters.crop, workload.parameters.crop);
  };
  const Value& index = json(nearest_upstream(planned_.graph, train, "shard"), "shards", "index.json");
  const Node* resize = nearest_upstream(planned_.graph, train, "resize");
  if (!index.is_null()) workload.bits = index.value(stages::sample_bits, 8);
  if (own_sizes(train))
    take_crop(index.is_null() ? resize->value("channels") : index.at("channels"));
  else if (!index.is_null())
    take(index.at("channels"), index.at("height"), index.at("width"));
  else if (resize != nullptr)
    take(resize->value("channels"), resize->value("height"), resize->value("width"));
}

void TrainingInputs::find_samples(const Node& train, KnownTraining& known) {
  const Node* synthesize = nearest_upstream(planned_.graph, train, "synthesize");
  const Value& catalogue = json(nearest_upstream(planned_.graph, train, "unzip"), "images", "catalogue.json");
  if (!catalogue.is_null())
    known.images = static_cast<int64_t>(catalogue.at("samples").size());
  else if (synthesize != nullptr)
    known.images = synthesize->value("count").get<int64_t>();

  stages::Workload& workload = known.workload;
  const Node* split = nearest_upstream(planned_.graph, train, "split");
  const Value& index = json(split, "index", "split.json");
  if (flags_.samples > 0) {
    workload.samples = workload.held = flags_.samples;
    known.samples_from = "given";
  } else if (!index.is_null()) {
    count_split(train, index.at("subsets"), known);
  } else if (own_sizes(train)) {
    known.samples_from =
        "not known before the split has run, since samples keep their own size; --samples N gives a number of crops";
  } else if (known.images && split != nullptr) {
    const double labelled = static_cast<double>(*known.images) *
                            (synthesize == nullptr ? 1 : 1 - synthesize->value("unlabelled").get<double>());
    const double test = split->value("test").get<double>(), validation = split->value("validation").get<double>();
    workload.samples = std::max<int64_t>(1, std::llround(labelled * (1 - test - validation)));
    workload.held = std::max<int64_t>(1, std::llround(labelled * (1 - test)));
    known.samples_from = fmt::format("about, of {} images; exact when the split has run", *known.images);
    if (stages::balance_rule(workload.parameters.balance).by_look)
      known.samples_from += ", without what balance = \"look\" adds";
  } else {
    known.samples_from = "not known before the split has run; --samples N gives a number";
  }
}

// Samples, or the crops of an epoch; what is held in memory, in pieces of the same size.
void TrainingInputs::count_split(const Node& train, const Value& subsets, KnownTraining& known) {
  stages::Workload& workload = known.workload;
  const Value& shards = json(nearest_upstream(planned_.graph, train, "shard"), "shards", "index.json");
  if (!own_sizes(train) || shards.is_null()) {
    workload.samples = static_cast<int64_t>(subsets.at("train").size());
    workload.held = *workload.samples + static_cast<int64_t>(subsets.at("validation").size());
    known.samples_from = "in the split";
    balance(train, subsets.at("train"), std::vector<double>(subsets.at("train").size(), 1.0), known);
    return;
  }
  std::map<std::string, std::pair<int64_t, int64_t>> sizes;
  for (const Value& sample : shards.at("samples"))
    sizes[sample.at("id")] = {sample.at("grid_height"), sample.at("grid_width")};
  int64_t crops = 0, pixels = 0;
  std::vector<double> areas;
  for (const char* subset : {"train", "validation"}) {
    for (const Value& id : subsets.at(subset)) {
      const auto& [height, width] = sizes.at(id.get<std::string>());
      pixels += height * width;
      if (subset != std::string("train")) continue;
      crops += stages::crops_of_sample(height, width, workload.height, workload.width);
      areas.push_back(stages::area_in_crops(height, width, workload.height, workload.width));
    }
  }
  const int64_t piece = workload.height * workload.width;
  workload.samples = crops;
  workload.held = (pixels + piece - 1) / piece;
  known.samples_from = fmt::format("crops of the {} in the split", subsets.at("train").size());
  balance(train, subsets.at("train"), areas, known);
}

// The crops of an epoch in which rare visual types are seen more often. `areas`: of the samples, in crops.
void TrainingInputs::balance(const Node& train, const Value& ids, const std::vector<double>& areas,
                             KnownTraining& known) {
  if (!stages::balance_rule(known.workload.parameters.balance).by_look) return;
  const Value& metadata = json(nearest_upstream(planned_.graph, train, "inspect"), "metadata", "metadata.json");
  if (metadata.is_null()) {
    known.samples_from += "; about, without what balance = \"look\" adds: inspect has not run";
    return;
  }
  auto look_of = stages::looks_of(metadata);
  std::vector<std::string> looks;
  for (const Value& id : ids) looks.push_back(look_of[id.get<std::string>()]);
  int64_t crops = 0;
  for (const int64_t count : stages::balanced_crops(areas, looks)) crops += count;
  known.workload.samples = crops;
  known.samples_from += ", balanced by visual type";
}

// The measurement of `penstock bench train` for this network on this machine.
bool TrainingInputs::take_measured(KnownTraining& known) {
  const stages::Workload& workload = known.workload;
  const TrainParameters& p = workload.parameters;
  if (workload.height == 0 || workload.height != workload.width) return false;
  const stages::BenchRequest like{.what = "train",
                                  .base_channels = p.base_channels,
                                  .depth = p.depth,
                                  .channels = workload.channels,
                                  .norm = p.norm,
                                  .size = workload.width,
                                  .micro_batch = p.micro_batch};
  const auto [place, fresh] = measured_.try_emplace(measuring_command(workload));
  if (fresh) place->second = measured_steps(like);
  const Value& found = place->second;
  if (found.is_null()) return false;
  TrainParameters as_measured = p;
  as_measured.global_batch = found.at("global_batch");
  const int ranks = found.at("ranks");
  known.threads = found.at("threads");
  known.pace = stages::pace_of(found.at("step_seconds").at("median"), found.at("update_seconds"), as_measured, ranks,
                               known.threads);
  known.pace_from =
      fmt::format("penstock bench train here, {}: {:.1f} images/s on {}", found.at("time").get<std::string>(),
                  found.at("images_per_second").get<double>(), on(ranks, known.threads));
  return true;
}

// The newest training in the store of the same network, micro-batch and grid.
bool TrainingInputs::take_history(KnownTraining& known) {
  if (!finished_) {
    finished_.emplace();
    for (const pipeline::Manifest& manifest : planned_.store.newest_manifests("train", 256)) {
      Finished one{json(manifest.ports, "telemetry", "telemetry.json"), json(manifest.ports, "curves", "curves.json"),
                   json(manifest.ports, "model", "model.json")};
      if (!one.telemetry.is_null() && !one.curves.is_null() && !one.model.is_null() &&
          one.telemetry.at("images_per_second") > 0)
        finished_->push_back(std::move(one));
    }
  }
  const stages::Workload& workload = known.workload;
  for (const auto& [telemetry, curves, model] : *finished_) {
    const Value& grid = model.at("preprocessing");
    if (grid.at("height") != workload.height || grid.at("width") != workload.width ||
        curves.at("micro_batch") != workload.parameters.micro_batch)
      continue;
    if (!(stages::architecture_from_json(model.at("architecture")) == workload.architecture())) continue;
    TrainParameters as_run = workload.parameters;
    as_run.global_batch = curves.at("global_batch");
    const double rate = telemetry.at("images_per_second");
    const int ranks = telemetry.at("ranks");
    known.threads = telemetry.at("threads");
    known.pace = stages::pace_of(static_cast<double>(as_run.global_batch) / rate, 0, as_run, ranks, known.threads);
    known.pace_from = fmt::format("a run of this network on {}: {:.1f} images/s on {}{}",
                                  telemetry.at("hosts").at(0).get<std::string>(), rate, on(ranks, known.threads),
                                  ranks > 1 ? ", its communication counted as computing" : "");
    return true;
  }
  return false;
}

void TrainingInputs::find_pace(KnownTraining& known) {
  const stages::Workload& workload = known.workload;
  if (flags_.images_per_second > 0) {
    known.threads = std::max(1, flags_.threads);
    known.pace = stages::Pace{
        known.threads * static_cast<double>(workload.parameters.micro_batch) / flags_.images_per_second, 0};
    known.pace_from =
        fmt::format("given: {:.6g} images/s of a rank whose threads all have work", flags_.images_per_second);
  } else if (!take_measured(known) && !take_history(known)) {
    const bool measurable = workload.height > 0 && workload.height == workload.width;
    known.pace_from = "not known: no run of this network is in the store";
    known.pace_from += measurable ? ". This measures it here: " + measuring_command(workload) +
                                        "; or give --images-per-second X of one rank"
                                  : "; give --images-per-second X of one rank";
  }
  if (flags_.threads > 0) known.threads = flags_.threads;
}

KnownTraining TrainingInputs::of(const Node& train) {
  KnownTraining known;
  known.workload.parameters = stages::train_parameters_of(train.values());
  find_grid(train, known.workload);
  find_samples(train, known);
  find_pace(known);
  return known;
}

}  // namespace penstock::launch
