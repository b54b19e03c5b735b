#include "pipeline/executor.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "distributed/check.h"
#include "pipeline/files.h"

namespace penstock::pipeline {
namespace {

using distributed::Outcome;

Digest outside_signature(const Node& node) {
  Hasher hasher;
  for (const Input& input : node.inputs) {
    for (const Source& source : input.sources) {
      if (source.node < 0) hasher.field(stat_signature(source.external));
    }
  }
  return hasher.finish();
}

}  // namespace

Executor::Executor(const Graph& graph, const RunOptions& options, const RankTools& tools, Store& store, Plan plan)
    : graph_(graph), options_(options), tools_(tools), store_(store), plan_(std::move(plan)) {}

ExitCode Executor::execute() {
  ExitCode code = ExitCode::done;
  for (const Run& run : graph_.runs) {
    for (const auto& [stage, node] : run.nodes) {
      if (plan_.find(node) == nullptr) continue;
      const NodeResult& result = obtain(node);
      if (code == ExitCode::done && result.code != ExitCode::done) code = result.code;
    }
    publish_run(run);
    if (stopping_) break;
  }
  return code;
}

const NodeResult& Executor::obtain(int node) {
  if (const auto known = results_.find(node); known != results_.end()) return known->second;
  NodeResult result = run_or_reuse(node);
  if (result.manifest) published_.insert_or_assign(node, *result.manifest);
  if (result.ended == Ended::failed || result.ended == Ended::interrupted) stopping_ = true;
  tools_.events.emit("stage", {{"stage", graph_.nodes[node].stage}, {"state", name_of(result.ended)},
                               {"reason", result.reason}, {"seconds", result.seconds}});
  return results_.insert_or_assign(node, std::move(result)).first->second;
}

// Hit by recipe, hit by the content of its inputs, or a run.
NodeResult Executor::run_or_reuse(int index) {
  const Node& node = graph_.nodes[index];
  const PlannedNode* planned = plan_.find(index);
  NodeResult result;
  result.node = index;
  result.reason = planned ? planned->reason : "its stored output is gone";
  if (stopping_) return result;

  const bool upstream_ran = std::any_of(node.inputs.begin(), node.inputs.end(), [this](const Input& input) {
    return std::any_of(input.sources.begin(), input.sources.end(), [this](const Source& source) {
      const auto found = results_.find(source.node);
      return found != results_.end() && found->second.ended == Ended::ran;
    });
  });
  if (planned && planned->state == State::hit && !upstream_ran && !damaged_.count(index)) {
    result.ended = Ended::hit;
    result.manifest = planned->manifest;
    judge(index, result);
    return result;
  }
  if (!upstreams_ready(index, result)) return result;
  const KeyFields fields = action_fields(graph_, index, plan_, published_);
  const bool forced = options_.selection.force_all || options_.selection.forced.count(node.stage) || !node.cacheable;
  if (!forced && !damaged_.count(index)) {
    if (const auto manifest = store_.find_action(fields.key())) {
      if (planned) store_.publish_recipe(planned->recipe, fields.key());
      result.ended = Ended::hit;
      result.reason = "same inputs as before";
      result.manifest = manifest;
      judge(index, result);
      return result;
    }
  }
  if (!inputs_intact(index, result)) return result;
  if (tools_.interrupted.load()) {
    result.ended = Ended::interrupted;
    result.code = ExitCode::interrupted;
    return result;
  }
  result = run_stage(index, fields, result.reason);
  judge(index, result);
  return result;
}

// Runs or looks up what this node takes and waits for. False when one of them ended badly.
bool Executor::upstreams_ready(int index, NodeResult& result) {
  std::vector<int> before = graph_.nodes[index].needs;
  for (const Input& input : graph_.nodes[index].inputs) {
    for (const Source& source : input.sources) {
      if (source.node >= 0) before.push_back(source.node);
    }
  }
  for (const int upstream : before) {
    const NodeResult& its = obtain(upstream);
    if (its.ended == Ended::hit || its.ended == Ended::ran) continue;
    result.reason = fmt::format("stage '{}' {}", graph_.nodes[upstream].stage, name_of(its.ended));
    return false;
  }
  return true;
}

// Reads what the node takes; an upstream whose stored output is bad runs again.
bool Executor::inputs_intact(int index, NodeResult& result) {
  for (const Input& input : graph_.nodes[index].inputs) {
    for (const Source& source : input.sources) {
      if (source.node < 0 || store_.verify(published_.at(source.node).port(source.port)->digest)) continue;
      const std::string& upstream = graph_.nodes[source.node].stage;
      spdlog::warn("the stored output '{}' of stage '{}' is damaged; it is moved aside and made again", source.port, upstream);
      damaged_.insert(source.node);
      results_.erase(source.node);
      const NodeResult& again = obtain(source.node);
      damaged_.erase(source.node);
      if (again.ended == Ended::ran && store_.verify(published_.at(source.node).port(source.port)->digest)) continue;
      result.reason = fmt::format("stage '{}' {}", upstream, name_of(again.ended));
      return false;
    }
  }
  return true;
}

NodeResult Executor::run_stage(int index, const KeyFields& fields, const std::string& reason) {
  const Node& node = graph_.nodes[index];
  const Digest action = fields.key();
  spdlog::info("{}: running ({})", node.stage, reason);
  Manifest draft{node.stage, fields, {}};
  std::vector<std::string> ports;
  for (const Port& port : node.output_ports) {
    draft.ports.push_back({port.name, {}, port.is_volatile});
    ports.push_back(port.name);
  }
  if (!node.resume) std::filesystem::remove_all(store_.progress(action));
  const auto staging = store_.make_staging(action, ports);
  const Digest before = outside_signature(node);
  const AttemptClock clock;
  Attempt attempt;
  attempt.number = store_.next_attempt(action);
  attempt.ranks = tools_.ranks.size();
  attempt.threads = tools_.threads;
  attempt.reason = reason;
  NodeResult result;
  result.node = index;
  result.reason = reason;
  const auto record = [&](const Outcome& outcome) {
    clock.stop(attempt);
    result.seconds = attempt.wall_seconds;
    result.code = outcome.code;
    result.message = outcome.message;
    result.ended = outcome.code == ExitCode::done          ? Ended::ran
                   : outcome.code == ExitCode::interrupted ? Ended::interrupted
                                                           : Ended::failed;
    attempt.exit_code = static_cast<int>(outcome.code);
    attempt.message = outcome.message;
    if (outcome.code != ExitCode::done && options_.log_tail) attempt.log_tail = options_.log_tail();
    store_.record_attempt(action, attempt);
  };

  Outcome outcome;
  try {
    outcome = call(index, make_call(index, action, staging), [&](const Outcome& fatal) {
      store_.remove_staging(staging);
      record(fatal);
      results_.insert_or_assign(index, result);
      publish_run(run_of(index));
    });
    if (outcome.code == ExitCode::done) {
      if (outside_signature(node) != before) {
        throw Error(ExitCode::data, "an input file changed while the stage read it; run again");
      }
      Published published = Published::fresh;
      const Digest recipe = plan_.find(index) ? plan_.find(index)->recipe : action;
      result.manifest = store_.commit(staging, draft, recipe, action, true, &published);
      if (published == Published::nondeterministic) {
        spdlog::warn("{}: the output differs from the one published before for the same inputs and parameters", node.stage);
      }
    }
  } catch (...) {
    outcome = distributed::current_failure();
  }
  if (outcome.code != ExitCode::done) store_.remove_staging(staging);
  record(outcome);
  if (result.ended == Ended::ran) {
    spdlog::info("{}: done in {:.1f} s", node.stage, result.seconds);
  } else if (result.ended == Ended::failed) {
    spdlog::error("stage '{}' failed: {}", node.stage, outcome.message);
  }
  return result;
}

Outcome Executor::call(int index, const StageCall& call, const std::function<void(const Outcome&)>& before_abort) {
  const StageKind& kind = *graph_.nodes[index].kind;
  if (options_.no_commands && kind.ports) {
    return {ExitCode::data, "--no-commands refuses stages that start other programs"};
  }
  if (kind.scope != Scope::rank0) distributed::broadcast_text(tools_.ranks, call.to_text(), 0, "the next stage");
  const ChunkKeys keys = chunk_keys(index);
  return call_stage(call, tools_, store_, &keys, before_abort);
}

StageCall Executor::make_call(int index, const Digest& action, const std::filesystem::path& staging) const {
  const Node& node = graph_.nodes[index];
  StageCall call{.stage = node.stage, .kind = node.kind->name, .values = node.values, .inputs = {}, .outputs = {},
                 .progress = store_.progress(action), .lineage = lineage_of(graph_, run_of(index), results_of(run_of(index)), store_)};
  for (const Input& input : node.inputs) {
    for (const Source& source : input.sources) {
      const auto path = source.node < 0 ? std::filesystem::absolute(source.external)
                                        : store_.object_files(published_.at(source.node).port(source.port)->digest);
      call.inputs[input.port].push_back({path, source.run});
    }
  }
  for (const Port& port : node.output_ports) call.outputs[port.name] = staging / port.name;
  return call;
}

ChunkKeys Executor::chunk_keys(int index) const {
  const Node& node = graph_.nodes[index];
  ChunkKeys keys;
  for (const Specification& parameter : node.kind->parameters) {
    if (parameter.about.affects_output) keys.parameters.emplace(parameter.name, node.values.at(parameter.name));
  }
  if (node.kind->environment) keys.environment = node.kind->environment(node.values);
  for (const Input& input : node.inputs) {
    const auto port = std::find_if(node.input_ports.begin(), node.input_ports.end(),
                                   [&](const Port& one) { return one.name == input.port; });
    if (port != node.input_ports.end() && port->by_sample) continue;
    for (const Source& source : input.sources) {
      if (source.node >= 0 && !is_volatile(graph_, source)) {
        keys.inputs.emplace_back(input.port, published_.at(source.node).port(source.port)->digest);
      }
    }
    if (std::any_of(input.sources.begin(), input.sources.end(), [](const Source& source) { return source.node < 0; })) {
      for (const Digest& digest : plan_.outside.at(index)) keys.inputs.emplace_back(input.port, digest);
    }
  }
  return keys;
}

// A stage that checks data publishes verdict.json; a refusal stops here whether the stage ran or was cached.
void Executor::judge(int index, NodeResult& result) const {
  if (!result.manifest) return;
  for (const PublishedPort& port : result.manifest->ports) {
    const auto file = store_.object_files(port.digest) / "verdict.json";
    if (!std::filesystem::exists(file)) continue;
    const Value verdict = Value::parse(read_file(file));
    if (verdict.value("passed", true)) continue;
    const Value problems = verdict.value("problems", Value::array());
    std::string text = fmt::format("{} problem{} found in the data:", problems.size(), problems.size() == 1 ? "" : "s");
    for (size_t i = 0; i < std::min<size_t>(problems.size(), 10); ++i) {
      text += fmt::format("\n  {}: {}", problems[i].value("sample", ""), problems[i].value("problem", ""));
    }
    result.ended = Ended::failed;
    result.code = ExitCode::data;
    result.message = text;
    spdlog::error("stage '{}' refuses to go on: {}", graph_.nodes[index].stage, text);
    return;
  }
}

const Run& Executor::run_of(int node) const { return graph_.runs[graph_.nodes[node].runs.front()]; }

std::vector<NodeResult> Executor::results_of(const Run& run) const {
  std::vector<NodeResult> results;
  for (const auto& [stage, node] : run.nodes) {
    if (const auto found = results_.find(node); found != results_.end()) {
      results.push_back(found->second);
    } else if (const PlannedNode* planned = plan_.find(node)) {
      NodeResult waiting;
      waiting.node = node;
      waiting.reason = planned->reason;
      results.push_back(waiting);
    }
  }
  return results;
}

void Executor::publish_run(const Run& run) {
  if (!options_.publish) return;
  const auto results = results_of(run);
  options_.publish(graph_, run, results, store_, lineage_of(graph_, run, results, store_));
}

}  // namespace penstock::pipeline
