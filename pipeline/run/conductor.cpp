#include "pipeline/run/conductor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "distributed/check.h"
#include "pipeline/plan/family.h"
#include "pipeline/run/lineage.h"
#include "pipeline/run/stage_run.h"

namespace penstock::pipeline {

Conductor::Conductor(const Graph& graph, const RunOptions& options, std::atomic<bool>& interrupted, Store& store,
                     Plan plan, int ranks)
    : graph_(graph),
      options_(options),
      interrupted_(interrupted),
      store_(store),
      plan_(std::move(plan)),
      ranks_(ranks),
      schedule_(graph, plan_),
      explainer_(graph, plan_, store),
      published_(published_in(plan_)),
      results_(graph.nodes.size()),
      open_in_run_(graph.runs.size()),
      is_published_(graph.runs.size()) {
  for (size_t node = 0; node < graph.nodes.size(); ++node) {
    const PlannedNode& planned = plan_.nodes[node];
    if (!planned.wanted) continue;
    for (const int run : graph.nodes[node].runs) ++open_in_run_[run];
  }
  if (!graph.has_matrix) warn_of_cached();
  const std::lock_guard lock(mutex_);
  settle();
}

// Stages that were done before and need not be looked at: what they warned of still holds.
void Conductor::warn_of_cached() const {
  for (size_t node = 0; node < graph_.nodes.size(); ++node) {
    const PlannedNode& planned = plan_.nodes[node];
    if (planned.wanted || !planned.published) continue;
    if (const auto warnings = warnings_of(*planned.published, store_))
      spdlog::warn("{}: {}", graph_.nodes[node].declaration->stage, *warnings);
  }
}

// ---- what runs next ----

// Goes through all that is ready: hits end at once, the rest is to be run.
void Conductor::settle() {
  while (!halted()) {
    const std::vector<int> ready = schedule_.ready();
    if (ready.empty()) return;
    for (const int node : ready) {
      if (schedule_.has_ended(node) || halted()) continue;
      if (auto result = decide(node)) {
        close(std::move(*result));
      } else {
        schedule_.start(node);
        to_run_.emplace(graph_.nodes[node].runs.front(), node);
      }
    }
  }
}

// A hit by recipe, a hit by the content of its inputs, a refusal; nullopt: it runs.
std::optional<NodeResult> Conductor::decide(int index) {
  const Node& node = graph_.nodes[index];
  const PlannedNode& planned = plan_.nodes[index];
  NodeResult result;
  result.node = index;
  result.ending = Ending::hit;
  const auto upstreams = upstreams_of(node);
  const bool upstream_ran =
      std::any_of(upstreams.begin(), upstreams.end(), [this](int one) { return results_[one].ending == Ending::ran; });
  const bool redone = redo_.count(index) != 0;
  if (planned.state == State::hit && !upstream_ran && !redone) {
    result.reason = "done before";
    result.published = planned.published;
    return result;
  }
  if (!planned.forced && !redone) {
    if ((result.published = store_.find_action(action_fields(graph_, index, plan_, published_).key()))) {
      result.reason = "same inputs as before";
      store_.touch(*result.published);
      if (is_complete(node)) store_.publish_recipe(planned.recipe, *result.published);
      return result;
    }
  }
  if (options_.no_commands && node.kind().ports) {
    result.ending = Ending::failed;
    result.code = ExitCode::data;
    result.message = "--no-commands refuses stages that start other programs";
    return result;
  }
  return std::nullopt;
}

bool Conductor::fits(int index, int width) const {
  const Node& node = graph_.nodes[index];
  const int asked = node.declaration->ranks;
  if (asked > 0) return std::min(asked, ranks_) == width;
  if (width == ranks_ || node.kind().scope != Scope::all_ranks) return true;
  return options_.jobs > 1 && std::max(1, ranks_ / options_.jobs) == width;
}

int Conductor::next_width() {
  const std::lock_guard lock(mutex_);
  if (halted() || to_run_.empty()) return 0;
  for (const auto& [run, node] : to_run_) {
    const int asked = graph_.nodes[node].declaration->ranks;
    if (asked > 0 && asked < ranks_) return asked;
  }
  const int share = std::max(1, ranks_ / std::max(1, options_.jobs));
  const auto sharing =
      std::count_if(to_run_.begin(), to_run_.end(), [&](const auto& entry) { return fits(entry.second, share); });
  return sharing > 1 ? share : ranks_;
}

std::optional<StageOrder> Conductor::next(int width) {
  PENSTOCK_CHECK(width >= 1 && width <= ranks_, "a group has at least one rank, and at most all");
  const std::lock_guard lock(mutex_);
  if (halted()) return std::nullopt;
  for (const auto& entry : to_run_) {
    const int node = entry.second;
    if (!fits(node, width)) continue;
    to_run_.erase(entry);
    ++running_;
    return make_order(node);
  }
  return std::nullopt;
}

bool Conductor::is_over(int width) {
  const std::lock_guard lock(mutex_);
  if (running_ > 0) return false;
  return halted() ||
         std::none_of(to_run_.begin(), to_run_.end(), [&](const auto& entry) { return fits(entry.second, width); });
}

void Conductor::wait_for_change() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::milliseconds(100));
}

StageOrder Conductor::make_order(int index) {
  const Node& node = graph_.nodes[index];
  const StageDeclaration& stage = *node.declaration;
  StageOrder order;
  order.node = index;
  order.stage = stage.stage;
  order.run = run_of(node);
  order.reason = redo_.count(index) ? "its stored output was damaged" : explainer_.why(index, published_).reason;
  order.fields = action_fields(graph_, index, plan_, published_);
  if (is_complete(node)) order.recipe = plan_.nodes[index].recipe;
  order.family = family_of(node, order.fields);
  if (!plan_.sweep.empty() && node.stage() == graph_.early_stop->stage) {
    order.sweep = {plan_.nodes[index].recipe, graph_.runs[node.runs.front()].label(), *graph_.early_stop,
                   store_.root() / "sweeps" / plan_.sweep};
  }
  order.replace = plan_.nodes[index].forced || redo_.count(index) != 0;
  order.resume = stage.resume;
  order.retries = stage.retries;
  for (const Port& port : stage.output_ports) order.ports.push_back({port.name, {}, port.is_volatile});

  const Run& run = graph_.runs[node.runs.front()];
  order.call.stage = order.run.empty() ? stage.stage : stage.stage + "@" + order.run;
  order.call.kind = stage.kind->name;
  order.call.values = node.values();
  if (stage.kind->reads_lineage) order.call.lineage = lineage_of(graph_, run, results_of(run), store_);
  for (const Specification& parameter : stage.kind->parameters) {
    const Value& value = node.value(parameter.name);
    const bool as_before = parameter.about.as_before && *parameter.about.as_before == value;
    if (parameter.about.affects_output && !as_before) order.chunks.parameters.emplace(parameter.name, value);
  }
  order.chunks.environment = environment_of(node);
  for (const Input& input : node.inputs) {
    const Port* port = find_port(stage.input_ports, input.port());
    for (const Source& source : input.sources) {
      const std::string label = source.run < 0 ? "" : graph_.runs[source.run].id;
      Digest digest;
      if (source.node < 0) {
        const Outside& outside = plan_.outside.at(source.declared);
        digest = outside.digest;
        order.outside.emplace_back(source.declared->external, outside.signature);
        order.call.inputs[input.port()].push_back({std::filesystem::absolute(source.declared->external), label});
      } else {
        if (!published_[source.node]) continue;  // a run without output, in a fan-in
        digest = published_[source.node]->port(source.port())->digest;
        store_.touch(*published_[source.node]);
        order.objects.emplace_back(source.node, digest);
        order.call.inputs[input.port()].push_back({store_.object_files(digest), label});
      }
      if (!port->by_sample && !is_volatile(graph_, source)) order.chunks.inputs.emplace_back(input.port(), digest);
    }
  }
  return order;
}

// Every source of its fan-ins has an output: what is published then is what its recipe means.
bool Conductor::is_complete(const Node& node) const {
  const auto upstreams = upstreams_of(node);
  return std::all_of(upstreams.begin(), upstreams.end(),
                     [this](int upstream) { return published_[upstream] != nullptr; });
}

// The run whose events an instance's are: its only one.
std::string Conductor::run_of(const Node& node) const {
  return graph_.has_matrix && node.runs.size() == 1 ? graph_.runs[node.runs.front()].id : "";
}

// ---- results ----

void Conductor::accept(NodeResult result, bool elsewhere) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(result.node >= 0 && static_cast<size_t>(result.node) < results_.size(),
                 "a result is of a node of the graph");
  PENSTOCK_CHECK(running_ > 0, "a result is of an instance that was handed out");
  --running_;
  if (elsewhere) {
    const Node& node = graph_.nodes[result.node];
    const std::string run = run_of(node);
    spdlog::log(result.ending == Ending::failed ? spdlog::level::debug : spdlog::level::info,
                "{}{}{}: {} after {:.1f} s{}{}", node.stage(), run.empty() ? "" : "@", run, name_of(result.ending),
                result.seconds, result.message.empty() ? "" : ": ", result.message);
  }
  if (result.ending == Ending::damaged) {
    redo(result);
  } else {
    close(std::move(result));
  }
  settle();
  changed_.notify_all();
}

// An upstream whose stored output is bad runs again, and the instance that saw it waits.
void Conductor::redo(const NodeResult& result) {
  std::vector<int> damaged = result.damaged;
  std::sort(damaged.begin(), damaged.end());
  damaged.erase(std::unique(damaged.begin(), damaged.end()), damaged.end());
  for (const int node : damaged) {
    if (redo_.count(node) && results_[node].ending == Ending::ran) {
      NodeResult failed = result;
      failed.ending = Ending::failed;
      failed.code = ExitCode::io;
      failed.message =
          fmt::format("the output of stage '{}' was damaged again after it was rebuilt; is the disk failing?",
                      graph_.nodes[node].stage());
      return close(std::move(failed));
    }
  }
  for (const int node : damaged) {
    spdlog::warn("the stored output of stage '{}' is damaged; it is moved aside and rebuilt",
                 graph_.nodes[node].stage());
    redo_.insert(node);
    published_[node] = nullptr;
    results_[node] = {};
  }
  for (const int node : schedule_.again(result.node, damaged)) {
    for (const int run : graph_.nodes[node].runs) ++open_in_run_[run];
  }
}

void Conductor::close(NodeResult result) {
  judge(result);
  const int index = result.node;
  const Node& node = graph_.nodes[index];
  if (result.ending == Ending::failed && options_.tell_failure) options_.tell_failure(graph_, result);
  if (result.ending != Ending::hit || !graph_.has_matrix) {  // in a sweep, hits are not listed one by one
    Events(options_.events_file ? options_.events_file(run_of(node)) : std::filesystem::path(), node.stage(),
           options_.listener)
        .emit("stage", {{"run", run_of(node)},
                        {"state", name_of(result.ending)},
                        {"reason", result.reason},
                        {"seconds", result.seconds}});
  }
  published_[index] = result.good() ? result.published : nullptr;
  if (result.ending == Ending::failed && !options_.keep_going) failed_stop_ = true;
  if (result.ending == Ending::failed && options_.fail_fast) interrupted_.store(true);
  const bool well = result.good();
  results_[index] = std::move(result);

  std::vector<int> closed = {index};
  for (const int lost : schedule_.end(index, well)) {
    results_[lost].node = lost;
    results_[lost].ending = Ending::not_reached;
    results_[lost].reason = fmt::format("stage '{}' {}", node.stage(), name_of(results_[index].ending));
    published_[lost] = nullptr;
    closed.push_back(lost);
  }
  for (const int one : closed) {
    for (const int run : graph_.nodes[one].runs) {
      if (--open_in_run_[run] == 0 && plan_.runs[run]) publish(run);
    }
  }
}

// A refusal in verdict.json stops what waits for it, whether the stage ran or was cached.
void Conductor::judge(NodeResult& result) const {
  if (!result.published) return;
  const StageDeclaration& stage = *graph_.nodes[result.node].declaration;
  if (const auto warnings = warnings_of(*result.published, store_)) spdlog::warn("{}: {}", stage.stage, *warnings);
  const auto refusal = refusal_of(*result.published, store_);
  if (!refusal) return;
  if (!stage.gate) {
    spdlog::warn("stage '{}' found problems and gate = false lets them pass: {}", stage.stage, *refusal);
    return;
  }
  result.ending = Ending::failed;
  result.code = ExitCode::data;
  result.message = *refusal;
}

std::vector<NodeResult> Conductor::results_of(const Run& run) const {
  std::vector<NodeResult> results;
  for (const int node : run.nodes) {
    const PlannedNode& planned = plan_.nodes[node];
    if (results_[node].node >= 0) {
      results.push_back(results_[node]);
    } else if (planned.needed || planned.published) {
      NodeResult waiting;
      waiting.node = node;
      waiting.published = planned.published;
      const bool pruned = planned.state == State::pruned;
      waiting.ending = planned.published ? Ending::hit : pruned ? Ending::pruned : Ending::not_reached;
      waiting.reason = planned.published ? "done before" : pruned ? "given up before" : "not begun";
      results.push_back(std::move(waiting));
    }
  }
  return results;
}

void Conductor::publish(int run) {
  is_published_[run] = true;
  if (options_.publish) options_.publish(graph_, graph_.runs[run], results_of(graph_.runs[run]), published_, store_);
}

ExitCode Conductor::finish() {
  const std::lock_guard lock(mutex_);
  for (size_t run = 0; run < graph_.runs.size(); ++run) {
    const auto& nodes = graph_.runs[run].nodes;
    const bool begun = !graph_.has_matrix || std::any_of(nodes.begin(), nodes.end(), [this](int node) {
      const Ending how = results_[node].ending;
      return results_[node].node >= 0 && how != Ending::hit && how != Ending::not_reached;
    });
    if (begun && plan_.runs[run] && !is_published_[run]) publish(static_cast<int>(run));
  }
  for (const NodeResult& result : results_) {
    if (result.ending == Ending::failed) return result.code;
  }
  const bool stopped = std::any_of(results_.begin(), results_.end(),
                                   [](const NodeResult& result) { return result.ending == Ending::interrupted; });
  return stopped || (interrupted_.load() && schedule_.open() > 0) ? ExitCode::interrupted : ExitCode::done;
}

}  // namespace penstock::pipeline
