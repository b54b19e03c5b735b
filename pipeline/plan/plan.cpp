#include "pipeline/plan/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "distributed/check.h"
#include "pipeline/plan/family.h"
#include "pipeline/plan/sweep.h"

namespace penstock::pipeline {
namespace {

Error refused_input(const StageDeclaration& stage, const std::string& port, const DeclaredSource& source,
                    const std::string& problem) {
  std::string text =
      fmt::format("{}: input '{}' of stage '{}': {}", to_string(source.position), port, stage.stage, problem);
  if (!source.origin.empty()) text += "\n" + source.origin;
  return Error(ExitCode::data, text);
}

Outside look_outside(const StageDeclaration& stage, const std::string& port, const DeclaredSource& source,
                     StatCache& inputs) {
  Outside outside;
  try {
    outside = inputs.look(source.external);
  } catch (const Error& error) {
    if (error.code() == ExitCode::interrupted) throw;
    throw refused_input(stage, port, source, error.what());
  }
  if (!source.sha256.empty() && outside.digest.hex() != source.sha256) {
    throw refused_input(stage, port, source,
                        fmt::format("{} has sha256 {}, the configuration pins {}", source.external.string(),
                                    outside.digest.hex(), source.sha256));
  }
  return outside;
}

// Builds a plan in three passes over the graph: which instances a target is made of (downstream first), what the store
// holds of them (upstream first), and which of them are wanted (downstream first).
class Planner {
 public:
  Planner(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs)
      : graph_(graph), selection_(selection), store_(store), inputs_(inputs), published_(graph.nodes.size()) {
    plan_.nodes.resize(graph.nodes.size());
  }

  Plan plan() {
    mark_targets();
    mark_needed();
    check_matches();
    for (const auto& stage : graph_.stages) digest_outside(*stage);
    open_sweep();
    for (size_t node = 0; node < graph_.nodes.size(); ++node) look_up(static_cast<int>(node));
    mark_wanted();
    check_cut();
    return std::move(plan_);
  }

 private:
  std::vector<std::string> targets() const {
    if (selection_.only) return {*selection_.only};
    if (selection_.until) return {*selection_.until};
    return selection_.targets.empty() ? graph_.targets : selection_.targets;
  }

  void mark_targets() {
    for (const std::string& stage : selection_.forced) require_stage(graph_, stage);
    if (selection_.from) require_stage(graph_, *selection_.from);
    plan_.runs = selection_.runs.apply(graph_);
    is_target_.resize(graph_.nodes.size());
    for (const std::string& target : targets()) {
      require_stage(graph_, target);
      for (size_t index = 0; index < graph_.nodes.size(); ++index) {
        const Node& node = graph_.nodes[index];
        if (node.stage() != target) continue;
        // A part of the runs is not enough for what gathers over them.
        const bool gathers =
            std::any_of(node.inputs.begin(), node.inputs.end(), [](const Input& input) { return input.fan_in(); });
        if (gathers && !selection_.runs.takes_all()) {
          left_out_.insert(target);
          continue;
        }
        is_target_[index] = std::any_of(node.runs.begin(), node.runs.end(), [&](int run) { return plan_.runs[run]; });
      }
    }
  }

  void mark_needed() {
    for (size_t index = graph_.nodes.size(); index-- > 0;) {
      PlannedNode& planned = plan_.nodes[index];
      planned.needed = planned.needed || is_target_[index];
      if (!planned.needed) continue;
      for_each_upstream(graph_.nodes[index], [this](int upstream) { plan_.nodes[upstream].needed = true; });
    }
  }

  // What was named must stand for something: a run without work would look like one that was done before.
  void check_matches() const {
    const bool chosen = selection_.only || selection_.until || !selection_.targets.empty();
    const bool empty = std::find(is_target_.begin(), is_target_.end(), true) == is_target_.end();
    if (!left_out_.empty() && (chosen || empty)) {
      throw Error(ExitCode::usage,
                  fmt::format("stage '{}' gathers over all runs, and --select or --part leaves some out: give neither, "
                              "or name a target that every run has",
                              *left_out_.begin()));
    }
    const auto require_needed = [&](const std::string& flag, const std::string& stage) {
      const bool needed = std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& node) {
        return node.stage() == stage && plan_.nodes[&node - graph_.nodes.data()].needed;
      });
      if (needed || empty) return;
      throw Error(ExitCode::usage, fmt::format("{}: stage '{}' is not built: the targets ({}) do not depend on it",
                                               flag, stage, fmt::join(targets(), ", ")));
    };
    for (const std::string& stage : selection_.forced) require_needed("--force=" + stage, stage);
    if (selection_.from) require_needed("--from " + *selection_.from, *selection_.from);
  }

  void digest_outside(const StageDeclaration& stage) {
    const bool needed = std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& node) {
      return node.declaration == &stage && plan_.nodes[&node - graph_.nodes.data()].needed;
    });
    for (const DeclaredInput& input : stage.inputs) {
      for (const DeclaredSource& source : input.sources) {
        if (source.port.empty() && needed)
          plan_.outside.emplace(&source, look_outside(stage, input.port, source, inputs_));
      }
    }
  }

  void look_up(int index) {
    const Node& node = graph_.nodes[index];
    PlannedNode& planned = plan_.nodes[index];
    if (!is_known(node)) return;
    known_[index] = true;
    planned.recipe = recipe_key(node);
    planned.forced = planned.needed &&
                     (selection_.force_all || selection_.forced.count(node.stage()) || !node.declaration->cacheable);
    if (planned.forced) return;
    planned.published = store_.find_recipe(planned.recipe);
    if (!planned.published && upstreams_are_hits(node)) {
      const KeyFields fields = action_fields(graph_, index, plan_, published_);
      planned.published = store_.find_action(fields.key());
      if (!planned.published && adoption_of(node, fields, store_).from) planned.state = State::adopt;
    }
    if (planned.published)
      planned.state = State::hit;
    else if (is_given_up(node, planned))
      planned.state = State::pruned;
    published_[index] = planned.published;
  }

  // Runs that --select names are wanted, whatever their sweep decided about them.
  void open_sweep() {
    if (!graph_.early_stop || selection_.runs.selects()) return;
    plan_.sweep = sweep_id(graph_, plan_);
    sweep_.emplace(store_.root() / "sweeps" / plan_.sweep, *graph_.early_stop);
  }

  bool is_given_up(const Node& node, const PlannedNode& planned) const {
    if (sweep_ && node.stage() == sweep_->rule().stage) return sweep_->pruned_at(planned.recipe).has_value();
    if (!sweep_) return false;
    const auto required = required_by(node);
    return std::any_of(required.begin(), required.end(),
                       [this](int upstream) { return plan_.nodes[upstream].state == State::pruned; });
  }

  // Everything upstream has a digest; only of what no target needs may something be missing outside.
  bool is_known(const Node& node) const {
    for (const Input& input : node.inputs) {
      for (const Source& source : input.sources) {
        const bool known = source.node >= 0 ? known_[source.node] : plan_.outside.count(source.declared) != 0;
        if (!known) return false;
      }
    }
    return true;
  }

  bool upstreams_are_hits(const Node& node) const {
    for (const Input& input : node.inputs) {
      for (const Source& source : input.sources) {
        if (source.node < 0 || plan_.nodes[source.node].state == State::hit) continue;
        if (!input.fan_in() || plan_.nodes[source.node].state != State::pruned) return false;
      }
    }
    return true;
  }

  Digest own_digest(const Node& node) {
    const auto [found, fresh] = own_.try_emplace({node.declaration, node.set.get()});
    if (fresh) found->second = own_fields(node).key();
    return found->second;
  }

  Digest recipe_key(const Node& node) {
    Hasher hasher;
    hasher.field("recipe").field(own_digest(node));
    for (const Input& input : node.inputs) {
      auto& sources = scratch_;
      sources.clear();
      for (const Source& source : input.sources) {
        if (!is_volatile(graph_, source)) sources.push_back(&source);
      }
      const auto id_of = [this](const Source* source) {
        return source->run < 0 ? std::string_view() : std::string_view(graph_.runs[source->run].id);
      };
      if (input.fan_in())
        std::stable_sort(sources.begin(), sources.end(),
                         [&](const Source* a, const Source* b) { return id_of(a) < id_of(b); });
      hasher.field(input.port()).field(static_cast<uint64_t>(sources.size()));
      for (const Source* source : sources) {
        if (input.fan_in()) hasher.field(id_of(source));
        if (source->node < 0)
          hasher.field(plan_.outside.at(source->declared).digest);
        else
          hasher.field(plan_.nodes[source->node].recipe).field(source->port());
      }
    }
    return hasher.finish();
  }

  // A target is wanted; so is whatever a running node takes or waits for.
  void mark_wanted() {
    for (size_t index = graph_.nodes.size(); index-- > 0;) {
      PlannedNode& planned = plan_.nodes[index];
      planned.wanted = (planned.wanted || is_target_[index] || planned.forced) && planned.state != State::pruned;
      if (!planned.runs()) continue;
      for_each_upstream(graph_.nodes[index], [this](int upstream) { plan_.nodes[upstream].wanted = true; });
    }
  }

  // --from and --only run nothing upstream: what they take must be there.
  void check_cut() const {
    const std::optional<std::string>& cut = selection_.only ? selection_.only : selection_.from;
    if (!cut) return;
    std::vector<bool> allowed(graph_.nodes.size());
    for (size_t index = 0; index < graph_.nodes.size(); ++index) {
      const Node& node = graph_.nodes[index];
      const auto upstreams = upstreams_of(node);
      allowed[index] =
          node.stage() == *cut || (!selection_.only && std::any_of(upstreams.begin(), upstreams.end(),
                                                                   [&](int upstream) { return allowed[upstream]; }));
      if (plan_.nodes[index].runs() && !allowed[index]) {
        throw Error(ExitCode::usage,
                    fmt::format("--{} {}: stage '{}' is needed and not done; run it first, or leave the flag out",
                                selection_.only ? "only" : "from", *cut, node.stage()));
      }
    }
  }

  const Graph& graph_;
  const Selection& selection_;
  const Store& store_;
  StatCache& inputs_;
  Plan plan_;
  Publications published_;
  std::set<std::string> left_out_;  // targets that a part of the runs is not enough for
  std::vector<bool> is_target_, known_ = std::vector<bool>(graph_.nodes.size());
  std::map<std::pair<const StageDeclaration*, const Values*>, Digest> own_;
  std::optional<Sweep> sweep_;
  std::vector<const Source*> scratch_;
};

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::hit:
      return "hit";
    case State::adopt:
      return "adopt";
    case State::pruned:
      return "pruned";
    case State::run:
      break;
  }
  return "run";
}

std::vector<int> Plan::listed() const {
  std::vector<int> found;
  for (size_t index = 0; index < nodes.size(); ++index) {
    const bool settled = nodes[index].state == State::hit || nodes[index].state == State::pruned;
    if (nodes[index].wanted || (nodes[index].needed && settled)) found.push_back(static_cast<int>(index));
  }
  return found;
}

bool is_volatile(const Graph& graph, const Source& source) {
  if (source.node < 0) return false;
  const Port* port = find_port(graph.nodes[source.node].declaration->output_ports, source.port());
  return port != nullptr && port->is_volatile;
}

Publications published_in(const Plan& plan) {
  Publications published;
  for (const PlannedNode& node : plan.nodes) published.push_back(node.state == State::hit ? node.published : nullptr);
  return published;
}

std::vector<int> required_by(const Node& node) {
  std::vector<int> required;
  for (const Input& input : node.inputs) {
    for (const Source& source : input.sources) {
      if (source.node >= 0 && !input.fan_in()) required.push_back(source.node);
    }
  }
  required.insert(required.end(), node.needs.begin(), node.needs.end());
  return required;
}

KeyFields action_fields(const Graph& graph, int node, const Plan& plan, const Publications& published) {
  PENSTOCK_CHECK(published.size() == graph.nodes.size() && node >= 0 && static_cast<size_t>(node) < published.size(),
                 "publications are those of the graph's nodes, and the node is one of them");
  std::vector<std::vector<SourceDigest>> digests;
  for (const Input& input : graph.nodes[node].inputs) {
    auto& all = digests.emplace_back();
    for (const Source& source : input.sources) {
      const std::string run = source.run < 0 ? "" : graph.runs[source.run].id;
      if (source.node < 0) {
        all.push_back({run, plan.outside.at(source.declared).digest});
      } else if (!is_volatile(graph, source)) {
        const PublicationPointer& upstream = published[source.node];
        if (!upstream && input.fan_in()) continue;
        const PublishedPort* port = upstream ? upstream->port(source.port()) : nullptr;
        PENSTOCK_CHECK(port != nullptr, "a published stage has every port that it declares");
        all.push_back({run, port->digest});
      }
    }
  }
  return with_inputs(own_fields(graph.nodes[node]), graph.nodes[node], digests);
}

Plan make_plan(const Graph& graph, const Selection& selection, const Store& store, StatCache& inputs) {
  return Planner(graph, selection, store, inputs).plan();
}

}  // namespace penstock::pipeline
