#include "launch/world/world_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "pipeline/run/shared_pass.h"
#include "stages/training/optimisers.h"

namespace penstock::launch {
namespace {

using pipeline::Node;
using pipeline::Value;

// Trainings that agree on this are planned together.
std::string what_ranks_see(const KnownTraining& known, int asked) {
  const stages::Workload& w = known.workload;
  const stages::TrainParameters& p = w.parameters;
  return Value{{"architecture", stages::to_json(w.architecture())},
               {"grid", {w.height, w.width}},
               {"bits", w.bits},
               {"samples", w.samples ? Value(*w.samples) : Value()},
               {"held", w.held},
               {"global_batch", p.global_batch},
               {"micro_batch", p.micro_batch},
               {"epochs", p.epochs},
               {"reproducible", p.reproducible},
               {"overlap", p.overlap},
               {"moments", stages::optimiser_rule(p.optimizer).moments},
               {"pace", known.pace_from},
               {"asked", asked}}
      .dump();
}

[[noreturn]] void refuse(const PlannedConfig& planned) {
  std::vector<std::string> trained;
  for (const auto& stage : planned.graph.stages) {
    if (stage->kind->name == "train") trained.push_back(stage->stage);
  }
  throw Error(
      ExitCode::usage,
      trained.empty()
          ? std::string("plan --world: no stage of this pipeline is of kind 'train'; without one there are only "
                        "buckets to share, which any number of ranks does")
          : fmt::format("plan --world: no planned stage is a training; plan a target that depends on {}",
                        fmt::join(trained, " or ")));
}

}  // namespace

WorldPlan make_world_plan(const PlannedConfig& planned, const WorldFlags& flags) {
  TrainingInputs inputs(planned, flags);
  WorldPlan plan{rank_counts(flags.world), fabric_of(flags), {}, {}};
  std::map<std::string, size_t> places;
  std::optional<int64_t> images;
  for (const int index : planned.plan.listed()) {
    const Node& node = planned.graph.nodes[index];
    if (node.kind().name != "train") continue;
    KnownTraining known = inputs.of(node);
    images = known.images;
    const auto [place, fresh] =
        places.try_emplace(what_ranks_see(known, node.declaration->ranks), plan.trainings.size());
    if (fresh)
      plan.trainings.push_back({label_of(planned.graph, index), 0, node.declaration->ranks, std::move(known), {}, {}});
    ++plan.trainings[place->second].instances;
  }
  if (plan.trainings.empty()) refuse(planned);
  for (PlannedTraining& training : plan.trainings) {
    const auto of = [&](int ranks) {
      return stages::plan_ranks(training.known.workload, ranks, training.known.threads, training.known.pace,
                                plan.fabric.fabric);
    };
    training.alone = of(1).times;
    for (const int count : plan.counts) training.plans.push_back(of(training.ranks_of(count)));
  }
  std::map<std::string, bool> seen;
  for (const int index : planned.plan.listed()) {
    const Node& node = planned.graph.nodes[index];
    if (node.kind().scope != pipeline::Scope::shared || !images || !seen.try_emplace(node.stage()).second) continue;
    plan.shares.push_back({node.stage(), static_cast<int64_t>(pipeline::bucket_count(static_cast<size_t>(*images),
                                                                                     node.kind().samples_per_bucket))});
  }
  return plan;
}

}  // namespace penstock::launch
