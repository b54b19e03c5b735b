#include "launch/world/world_json.h"

#include "launch/world/world_text.h"
#include "stages/training/training_layout.h"

namespace penstock::launch {
namespace {

using pipeline::Value;
using stages::name_of;
using stages::RanksPlan;

Value json_of(const stages::Memory& m) {
  return {{"weights", m.weights},   {"optimiser", m.optimiser},     {"gradients", m.gradients},
          {"exchange", m.exchange}, {"activations", m.activations}, {"convolutions", m.convolutions},
          {"samples", m.samples},   {"checkpoint", m.checkpoint},   {"program", m.program},
          {"total", m.total()}};
}

Value json_of(const WorldPlan& world, const PlannedTraining& training, int count, const RanksPlan& plan) {
  const stages::TrainParameters& p = training.known.workload.parameters;
  Value buckets = Value::array(), shares = Value::array(), times;
  for (const auto& bucket : plan.buckets) buckets.push_back((bucket.end - bucket.begin) * sizeof(float));
  for (const PlannedShare& share : world.shares)
    shares.push_back({{"stage", share.stage},
                      {"buckets", share.buckets},
                      {"fewest", share.buckets / count},
                      {"most", (share.buckets + count - 1) / count}});
  if (plan.times) {
    times = {{"step_seconds", plan.times->step()},
             {"compute_seconds", plan.times->compute},
             {"exchange_seconds", plan.times->exchange},
             {"exposed_seconds", plan.times->exposed},
             {"update_seconds", plan.times->update},
             {"training_seconds", plan.steps ? Value(static_cast<double>(*plan.steps) * plan.times->step()) : Value()},
             {"images_per_second", static_cast<double>(p.global_batch) / plan.times->step()},
             {"efficiency", stages::efficiency_of(*training.alone, plan)}};
  }
  const std::string note = waste_of(training, plan);
  const auto per_epoch = [&](int shards) {
    return plan.steps_per_epoch ? Value(shards * p.micro_batch * *plan.steps_per_epoch) : Value();
  };
  return {{"world", count},
          {"ranks", plan.ranks},
          {"threads", plan.threads},
          {"groups", count / plan.ranks},
          {"micro_shards", {{"fewest", plan.fewest}, {"most", plan.most}}},
          {"samples_per_step", {{"fewest", plan.fewest * p.micro_batch}, {"most", plan.most * p.micro_batch}}},
          {"samples_per_epoch", {{"fewest", per_epoch(plan.fewest)}, {"most", per_epoch(plan.most)}}},
          {"idle_ranks", plan.idle},
          {"reproducible", name_of(plan.reproducible)},
          {"bucket_bytes", buckets},
          {"sent_bytes_per_step", plan.sent_bytes},
          {"memory_bytes", json_of(plan.memory)},
          {"times", times},
          {"shared_stages", shares},
          {"note", note.empty() ? Value() : Value(note)}};
}

}  // namespace

Value json_of(const WorldPlan& plan) {
  Value trainings = Value::array();
  for (const PlannedTraining& training : plan.trainings) {
    const KnownTraining& known = training.known;
    const stages::TrainParameters& p = known.workload.parameters;
    const RanksPlan& first = training.plans.front();
    Value rows = Value::array();
    for (size_t i = 0; i < plan.counts.size(); ++i)
      rows.push_back(json_of(plan, training, plan.counts[i], training.plans[i]));
    trainings.push_back({{"stage", training.label},
                         {"instances", training.instances},
                         {"global_batch", p.global_batch},
                         {"micro_batch", p.micro_batch},
                         {"micro_shards", p.micro_shards()},
                         {"samples", known.workload.samples ? Value(*known.workload.samples) : Value()},
                         {"samples_from", known.samples_from},
                         {"steps_per_epoch", first.steps_per_epoch ? Value(*first.steps_per_epoch) : Value()},
                         {"steps", first.steps ? Value(*first.steps) : Value()},
                         {"pace", known.pace ? Value{{"micro_shard_seconds", known.pace->micro_shard_seconds},
                                                     {"update_seconds", known.pace->update_seconds}}
                                             : Value()},
                         {"pace_from", known.pace_from},
                         {"plans", rows}});
  }
  return {{"link", plan.fabric.description}, {"trainings", trainings}};
}

}  // namespace penstock::launch
