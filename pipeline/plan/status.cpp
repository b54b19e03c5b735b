#include "pipeline/plan/status.h"

#include <algorithm>

namespace penstock::pipeline {

const char* name_of(Standing standing) {
  switch (standing) {
    case Standing::done:
      return "done";
    case Standing::running:
      return "running";
    case Standing::interrupted:
      return "interrupted";
    case Standing::failed:
      return "failed";
    case Standing::stale:
      return "stale";
    case Standing::pruned:
      return "pruned";
    case Standing::pending:
      break;
  }
  return "pending";
}

std::optional<Digest> action_of(const Graph& graph, int node, const Plan& plan, const Publications& published) {
  if (published[node]) return published[node]->action;
  for (const Input& input : graph.nodes[node].inputs) {
    for (const Source& source : input.sources) {
      if (source.node < 0 ? !plan.outside.count(source.declared) : !input.fan_in() && !published[source.node])
        return std::nullopt;
    }
  }
  return action_fields(graph, node, plan, published).key();
}

NodeStatus status_of(const Graph& graph, int node, const Plan& plan, const Publications& published, const Store& store,
                     Explainer& explainer) {
  const PlannedNode& planned = plan.nodes[node];
  const auto action = action_of(graph, node, plan, published);
  if (action) {
    if (auto holder = Leases::holder_of(store.root() / "leases", *action))
      return {Standing::running, holder->described(), holder};
  }
  if (planned.state == State::hit) return {Standing::done, "", {}};
  const Explanation why = explainer.why(node);
  if (planned.state == State::pruned) return {Standing::pruned, why.reason, {}};
  if (action) {
    const auto attempts = store.attempts(*action);
    if (!attempts.empty() && attempts.back().exit_code != 0) {
      const Attempt& last = attempts.back();
      const bool stopped = last.exit_code == static_cast<int>(ExitCode::interrupted);
      return {stopped ? Standing::interrupted : Standing::failed, last.message.substr(0, last.message.find('\n')), {}};
    }
    if (store.has_progress(*action)) return {Standing::interrupted, "killed; its state is kept", {}};
  }
  const bool stale = !why.differences.empty();
  return {stale ? Standing::stale : Standing::pending, why.reason, {}};
}

}  // namespace penstock::pipeline
