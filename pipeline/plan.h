// What would run and why: each needed node against the store, before anything runs.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/graph.h"
#include "pipeline/keys.h"
#include "pipeline/stat_cache.h"
#include "pipeline/store.h"

namespace penstock::pipeline {

enum class State { hit, run };

struct PlannedNode {
  int node = -1;
  State state = State::run;
  std::string reason;  // "done before", "parameter lr: 0.001 -> 0.0003 (file)", "upstream train runs", "forced", "new"
  Digest recipe;
  std::optional<Manifest> manifest;      // of a hit
  std::optional<KeyFields> fields;       // of the action key, when every upstream is a hit
};

struct Selection {
  std::vector<std::string> targets;      // stage names; empty: the graph's own
  std::optional<std::string> until;      // stop after this stage
  bool force_all = false;
  std::set<std::string> forced;          // stage names
};

struct Plan {
  // In execution order. A hit's upstreams are not needed: they are listed only where the store holds them too.
  std::vector<PlannedNode> nodes;
  std::map<int, KeyFields> own;                    // node -> its own key fields, without inputs
  std::map<int, std::vector<Digest>> outside;      // node -> digests of its outside sources, in order

  const PlannedNode* find(int node) const;
};

// A source that enters no key: an output port that holds times, hosts or rates.
bool is_volatile(const Graph& graph, const Source& source);

// The fields of a node's action key, given what its upstreams published.
KeyFields action_fields(const Graph& graph, int node, const Plan& plan, const std::map<int, Manifest>& published);

// Throws Error(data) for a missing outside input (with its position in the configuration) or a pinned sha256 that
// differs.
Plan make_plan(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs);

}  // namespace penstock::pipeline
