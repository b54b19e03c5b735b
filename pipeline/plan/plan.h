// What would run: each stage instance compared with the store, before anything runs. Made on rank 0, or by a command
// that runs nothing; immutable afterwards.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/config/run_filter.h"
#include "pipeline/graph.h"
#include "pipeline/keys.h"
#include "pipeline/store/stat_cache.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

enum class State {
  hit,    // the store holds it
  adopt,  // runs, from the progress of a shorter run that differs in nothing else
  run,
  pruned,  // given up in this sweep, or made of something that was: does not run
};
const char* name_of(State state);  // "hit", "adopt", "run", "pruned"

struct PlannedNode {
  State state = State::run;
  bool needed = false;  // a target is made of it, however far upstream
  bool wanted =
      false;  // its output is: a target, or what something that runs takes or waits for. A hit's upstreams are not
  bool forced = false;  // runs whatever the store holds
  Digest recipe;
  PublicationPointer published;  // of a hit; of an instance that is not needed, when the store holds it

  bool runs() const { return wanted && (state == State::run || state == State::adopt); }
};

// Which instances the command line requests.
struct Selection {
  std::vector<std::string> targets;  // stage names; empty: the graph's own
  std::optional<std::string> until;  // stop after this stage
  std::optional<std::string> from;   // run nothing upstream of this stage
  std::optional<std::string> only;   // run this stage alone
  bool force_all = false;
  std::set<std::string> forced;  // stage names
  RunFilter runs;
};

// A file or folder outside, as it was when the plan was made.
using Outside = StatCache::Looked;

struct Plan {
  std::vector<PlannedNode> nodes;  // as Graph::nodes
  std::vector<bool> runs;          // those that are requested, as Graph::runs
  std::map<const DeclaredSource*, Outside> outside;
  std::string sweep;  // the sweep's id, where [matrix.early_stop] gives up runs; or empty

  // Those that `penstock plan` lists: the wanted, and the hits that a target is made of.
  std::vector<int> listed() const;
};

// A source that enters no key: an output port that holds times, hosts or rates.
bool is_volatile(const Graph& graph, const Source& source);

// What each instance published; null where it did not.
using Publications = std::vector<PublicationPointer>;

// As planned, before anything ran: the hits.
Publications published_in(const Plan& plan);

// The fields of a node's action key. All its sources are published, but in a fan-in: runs without output are left out.
KeyFields action_fields(const Graph& graph, int node, const Plan& plan, const Publications& published);

// The instances upstream of `node` that it requires: its inputs except fan-ins, and its needs.
std::vector<int> required_by(const Node& node);

// Throws Error(data) for a missing outside input (with its position in the configuration) or a pinned sha256 that
// differs; Error(usage) for a stage that does not exist, or one that --from or --only leave out and that is not done,
// and for a selection that matches nothing.
Plan make_plan(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs);

}  // namespace penstock::pipeline
