// How far each stage instance is, from the store alone: what `penstock status` shows while another process works.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/plan/explain.h"
#include "pipeline/store/lease.h"

namespace penstock::pipeline {

enum class Standing {
  done,
  running,      // another process holds its lease
  interrupted,  // its last attempt was stopped, or killed, with its state kept
  failed,       // its last attempt failed
  stale,        // done before with something else
  pending,      // never done
  pruned,       // given up in its sweep
};
const char* name_of(Standing standing);

struct NodeStatus {
  Standing standing = Standing::pending;
  std::string detail;                 // the reason, the failure, the holder
  std::optional<LeaseHolder> holder;  // of running
};

// `published`: of published_in(plan).
NodeStatus status_of(const Graph& graph, int node, const Plan& plan, const Publications& published, const Store& store,
                     Explainer& explainer);

// The key of a node's action; nullopt while something upstream is not published.
std::optional<Digest> action_of(const Graph& graph, int node, const Plan& plan, const Publications& published);

}  // namespace penstock::pipeline
