// Why a stage instance runs: the first field of its key that differs from what was done before, old and new.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/plan/plan.h"

namespace penstock::pipeline {

struct Explanation {
  std::string reason;  // one line: "parameter lr: 0.001 -> 0.0003 and 1 more", "new", "upstream train runs"
  std::vector<Difference> differences;  // from the nearest manifest of the same kind, when that is what decided
};

// Compares with what the store held when the first instance of a kind was explained: of the newest manifests, the one
// with the fewest differences. One thread.
class Explainer {
 public:
  Explainer(const Graph& graph, const Plan& plan, const Store& store)
      : graph_(graph), plan_(plan), store_(store), planned_(published_in(plan)) {}

  // `published`: what upstreams published so far, as Graph::nodes; the comparison is exact where all of them did.
  Explanation why(int node, const Publications& published);
  // As planned, before anything ran.
  Explanation why(int node) { return why(node, planned_); }

  // How long a run of this instance may take: the last that went well of what is nearest to it. nullopt without
  // history.
  std::optional<double> expected_seconds(int node);

 private:
  // A key's fields as hashes of (name, value), sorted: comparing is a merge.
  using Fingerprint = std::vector<size_t>;
  struct Candidate {
    Manifest manifest;
    Fingerprint fingerprint;
  };
  static Fingerprint fingerprint_of(const KeyFields& fields, bool with_inputs);
  const std::vector<Candidate>& candidates(const std::string& kind, bool with_inputs);
  const Candidate* nearest(const std::string& kind, const KeyFields& mine, bool complete);
  Explanation compare(const Node& node, const KeyFields& mine, bool complete);

  const Graph& graph_;
  const Plan& plan_;
  const Store& store_;
  const Publications planned_;
  std::map<std::pair<std::string, bool>, std::vector<Candidate>> candidates_;
};

}  // namespace penstock::pipeline
