#include "launch/world/world_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "pipeline/counted.h"
#include "stages/report/html.h"
#include "stages/training/norms.h"
#include "stages/training/training_layout.h"

namespace penstock::launch {
namespace {

using distributed::Reproducible;
using stages::name_of;
using stages::RanksPlan;

std::string range(int64_t low, int64_t high) {
  return low == high ? pipeline::with_commas(low)
                     : fmt::format("{} to {}", pipeline::with_commas(low), pipeline::with_commas(high));
}
std::string megabytes(double bytes) {
  return fmt::format("{:.{}f}", bytes / 1e6, bytes < 1e7 ? 2 : bytes < 1e8 ? 1 : 0);
}

std::string row(const char* name, const std::string& text) { return fmt::format("  {:14} {}\n", name, text); }

std::string memory_text(const stages::Memory& m) {
  std::string text = fmt::format("{} MB on rank 0: weights {}, optimiser {}, gradients {}", megabytes(m.total()),
                                 megabytes(m.weights), megabytes(m.optimiser), megabytes(m.gradients));
  if (m.exchange > 0) text += ", exchange " + megabytes(m.exchange);
  text += m.activations > 0 ? ", activations " + megabytes(m.activations) + ", samples " + megabytes(m.samples)
                            : ", activations and samples not known before the grid is";
  return text + ", convolutions " + megabytes(m.convolutions) + ", checkpoint (no other rank's) " +
         megabytes(m.checkpoint) + ", program " + megabytes(m.program);
}

std::string buckets_text(const RanksPlan& plan) {
  std::vector<std::string> sizes;
  double all = 0;
  for (const auto& bucket : plan.buckets) {
    const double bytes = static_cast<double>(bucket.end - bucket.begin) * sizeof(float);
    all += bytes;
    if (sizes.size() < 8) sizes.push_back(megabytes(bytes));
  }
  return fmt::format("{}, of {}{} MB in the order of backward: {} MB of gradients, statistics and figures",
                     pipeline::counted(static_cast<int64_t>(plan.buckets.size()), "bucket"), fmt::join(sizes, ", "),
                     plan.buckets.size() > sizes.size() ? ", ..." : "", megabytes(all));
}

// One rank count at length.
std::string details(const PlannedTraining& training, const RanksPlan& plan) {
  const stages::TrainParameters& p = training.known.workload.parameters;
  std::string text =
      row("micro-shards",
          fmt::format("{} of {} samples a step, {} a rank{}", p.micro_shards(), p.micro_batch,
                      range(plan.fewest, plan.most),
                      plan.idle == 0 ? ""
                                     : fmt::format("; {} nothing", pipeline::counted(plan.idle, "rank") +
                                                                       (plan.idle == 1 ? " trains" : " train"))));
  text += row("samples",
              fmt::format("{} a step, {} a rank", p.global_batch,
                          range(plan.fewest * p.micro_batch, plan.most * p.micro_batch)) +
                  (plan.steps_per_epoch
                       ? fmt::format("; {} a rank and epoch", range(plan.fewest * p.micro_batch * *plan.steps_per_epoch,
                                                                    plan.most * p.micro_batch * *plan.steps_per_epoch))
                       : ""));
  text += row("reduction",
              fmt::format("\"{}\"{}", name_of(plan.reproducible),
                          plan.reproducible == Reproducible::world ? ": the same bits at any rank count"
                                                                   : ": the same bits at the same rank count"));
  text += row("exchange", buckets_text(plan));
  if (plan.ranks > 1)
    text += row("", fmt::format("each rank sends {} MB a step{}", megabytes(plan.sent_bytes),
                                plan.norm_exchanges.empty()
                                    ? ""
                                    : fmt::format(", and waits for {} sums of norms", plan.norm_exchanges.size())));
  text += row("memory", memory_text(plan.memory));
  return text;
}

const char* const table_head =
    " ranks   micro-shards   reduction   step ms   images/s   efficiency   exposed ms   sent MB   memory MB      all "
    "steps\n";

std::string table_row(const PlannedTraining& training, int count, const RanksPlan& plan) {
  std::string step = "-", rate = "-", efficiency = "-", exposed = "-", whole = "-";
  if (plan.times) {
    const double seconds = plan.times->step();
    step = fmt::format("{:.1f}", 1e3 * seconds);
    rate = fmt::format("{:.1f}", static_cast<double>(training.known.workload.parameters.global_batch) / seconds);
    efficiency = fmt::format("{:.0f} %", 100 * stages::efficiency_of(*training.alone, plan));
    exposed = fmt::format("{:.2f}", 1e3 * plan.times->exposed);
    if (plan.steps) whole = stages::duration(static_cast<double>(*plan.steps) * seconds);
  }
  return fmt::format("{:>6} {:>14} {:>11} {:>9} {:>10} {:>12} {:>12} {:>9} {:>11} {:>14}{}\n", count,
                     range(plan.fewest, plan.most), name_of(plan.reproducible), step, rate, efficiency, exposed,
                     megabytes(plan.sent_bytes), fmt::format("{:.0f}", plan.memory.total() / 1e6), whole,
                     plan.ranks < count ? fmt::format("   (groups of {})", plan.ranks) : "");
}

std::vector<std::string> notes_of(const PlannedTraining& training) {
  std::vector<std::string> all;
  const stages::Workload& w = training.known.workload;
  if (w.samples && *w.samples < w.parameters.global_batch)
    all.push_back(fmt::format("a step takes {} samples of a train subset of {}: some several times",
                              w.parameters.global_batch, *w.samples));
  for (const RanksPlan& plan : training.plans) {
    const std::string text = waste_of(training, plan);
    if (!text.empty() && std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
  }
  return all;
}

std::string text_of(const WorldPlan& world, const PlannedTraining& training) {
  const KnownTraining& known = training.known;
  const stages::TrainParameters& p = known.workload.parameters;
  int64_t weights = 0;
  for (const auto& layer : stages::layers_of(known.workload.architecture(), 1 << p.depth, 1 << p.depth))
    weights += layer.parameters();
  std::string text = fmt::format(
      "\n{}{} on {} ranks x {}: {} weights\n", training.label,
      training.instances > 1 ? fmt::format(" and {} more like it", training.instances - 1) : "",
      fmt::join(world.counts, ", "), pipeline::counted(known.threads, "thread"), pipeline::with_commas(weights));
  const RanksPlan& first = training.plans.front();
  text +=
      row("steps", first.steps ? fmt::format("{} an epoch, {} in {} ({} samples, {})",
                                             pipeline::with_commas(*first.steps_per_epoch),
                                             pipeline::with_commas(*first.steps), pipeline::counted(p.epochs, "epoch"),
                                             pipeline::with_commas(*known.workload.samples), known.samples_from)
                               : known.samples_from);
  if (world.counts.size() == 1) text += details(training, first);
  text +=
      row("pace", known.pace
                      ? fmt::format("{:.1f} ms a micro-shard on a thread{} ({})", 1e3 * known.pace->micro_shard_seconds,
                                    known.pace->update_seconds > 0
                                        ? fmt::format(", {:.2f} ms an update", 1e3 * known.pace->update_seconds)
                                        : "",
                                    known.pace_from)
                      : known.pace_from);
  if (world.counts.back() > 1) text += row("link", world.fabric.description);
  if (!world.shares.empty() && world.counts.size() == 1) {
    const int count = world.counts.front();
    std::vector<std::string> shares;
    for (const PlannedShare& share : world.shares) shares.push_back(fmt::format("{} {}", share.stage, share.buckets));
    text += row("shared stages", fmt::format("{} buckets at most, handed out one by one to {}", fmt::join(shares, ", "),
                                             pipeline::counted(count, "rank")));
    const auto most = std::max_element(world.shares.begin(), world.shares.end(), [](const auto& a, const auto& b) {
                        return a.buckets < b.buckets;
                      })->buckets;
    if (most < count)
      text += row("", fmt::format("{} ranks have none: these stages use {} ranks at most", count - most, most));
  }
  text += "\n" + std::string(table_head);
  for (size_t i = 0; i < world.counts.size(); ++i) text += table_row(training, world.counts[i], training.plans[i]);
  for (const std::string& one : notes_of(training)) text += "  note: " + one + "\n";
  return text;
}

}  // namespace

std::string waste_of(const PlannedTraining& training, const RanksPlan& plan) {
  const stages::TrainParameters& p = training.known.workload.parameters;
  const auto shards = static_cast<int>(p.micro_shards());
  const int threads = stages::norm_rule(p.norm).over_ranks ? 1 : plan.threads;
  if (plan.idle > 0) {
    std::string text =
        stages::norm_rule(p.norm).over_ranks
            ? fmt::format("{} ranks would be refused: norm = \"sync\" needs a micro-shard for each, and a step has {}",
                          plan.ranks, shards)
            : fmt::format("{} of {} ranks train nothing: a step has {}", plan.idle, plan.ranks,
                          pipeline::counted(shards, "micro-shard"));
    text += fmt::format("; {} ranks at most, or global_batch = {}", shards, plan.ranks * p.micro_batch);
    if (p.global_batch % plan.ranks == 0) text += fmt::format(", or micro_batch = {}", p.global_batch / plan.ranks);
    return text;
  }
  const int rounds = (plan.most + threads - 1) / threads;
  const double used = static_cast<double>(shards) / (static_cast<double>(plan.ranks) * threads * rounds);
  if (used > 0.999) return "";
  const auto [below, above] = stages::even_ranks(shards, threads, plan.ranks);
  std::string text =
      fmt::format("{} ranks x {}: threads are idle {:.0f} % of the time, since {} micro-shards do not divide evenly",
                  plan.ranks, pipeline::counted(threads, "thread"), 100 * (1 - used), shards);
  if (below == 0 && above == 0)
    return text + fmt::format("; a global_batch that {} divides would", p.micro_batch * threads * plan.ranks);
  return text + fmt::format("; {}{}{} ranks do", below == 0 ? "" : std::to_string(below),
                            below > 0 && above > 0 ? " or " : "", above == 0 ? "" : std::to_string(above));
}

std::string text_of(const WorldPlan& plan) {
  std::string text;
  for (const PlannedTraining& training : plan.trainings) text += text_of(plan, training);
  return text;
}

}  // namespace penstock::launch
