// The plan's shape: every stage instance of every run of a pipeline, each once, in an order that can be executed.
//
// Immutable after build_graph; safe to read from any thread. Built on rank 0 (or in a command that runs nothing).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/early_stop.h"
#include "pipeline/position.h"
#include "pipeline/stage.h"

namespace penstock::pipeline {

// One source of an input as the configuration writes it: a file or folder outside, or an output of another stage.
struct DeclaredSource {
  std::string port;                // of the upstream stage; empty: outside
  std::filesystem::path external;  // absolute or relative to the working directory
  std::string sha256;              // the pinned digest of an outside file, or empty
  std::string origin;              // where to get the file, for the message when it is missing; or empty
  Position position;
};

struct DeclaredInput {
  std::string port;
  bool fan_in = false;  // gathers over runs of the matrix
  std::vector<DeclaredSource> sources;
};

// What all instances of one stage of the configuration have in common.
struct StageDeclaration {
  std::string stage;  // its name
  const StageKind* kind = nullptr;
  Values values;                  // complete: defaults included; without what a matrix sets
  std::vector<Port> input_ports;  // the kind's, or what the configuration declares (command)
  std::vector<Port> output_ports;
  std::vector<DeclaredInput> inputs;  // in the order of input_ports
  bool cacheable = true;
  bool resume = true;
  bool gate = true;  // a refusal in its verdict.json stops what is downstream
  int retries = 0;   // how often a failure is tried again
  int ranks = 0;     // that one instance is to run on; 0: any number
  Position position;
};

// One source of one instance's input.
struct Source {
  int node = -1;                             // index into Graph::nodes; -1: outside
  int run = -1;                              // in a fan-in: index into Graph::runs
  const DeclaredSource* declared = nullptr;  // owned by the stage's declaration

  const std::string& port() const { return declared->port; }
};

struct Input {
  const DeclaredInput* declared = nullptr;
  std::vector<Source> sources;  // one, or several where the port takes many

  const std::string& port() const { return declared->port; }
  bool fan_in() const { return declared->fan_in; }
};

// An instance of a stage: its values and inputs. Runs that agree on both share the node. Kept small: a matrix may make
// a hundred thousand.
struct Node {
  const StageDeclaration* declaration = nullptr;  // owned by Graph::stages
  std::shared_ptr<const Values> set;              // what the matrix sets, over the declaration's values; null: nothing
  std::vector<Input> inputs;                      // as declaration->inputs
  std::vector<int> needs;                         // order only
  std::vector<int> runs;                          // indices into Graph::runs that hold this node

  const std::string& stage() const { return declaration->stage; }
  const StageKind& kind() const { return *declaration->kind; }
  const Value& value(const std::string& parameter) const;
  Values values() const;  // complete
};

// Calls visit(index) for the nodes that must end before `node` begins: its inputs' and its needs, in order, with
// repeats.
template <typename Visit>
void for_each_upstream(const Node& node, const Visit& visit) {
  for (const Input& input : node.inputs) {
    for (const Source& source : input.sources) {
      if (source.node >= 0) visit(source.node);
    }
  }
  for (const int need : node.needs) visit(need);
}
std::vector<int> upstreams_of(const Node& node);

struct Graph;
// The nearest instance of a stage of that kind upstream of `node`; nullptr when there is none.
const Node* nearest_upstream(const Graph& graph, const Node& node, std::string_view kind);
// Whether a node is made of several runs of the matrix: it takes a fan-in, or something that it is made of does.
bool is_of_many_runs(const Graph& graph, const Node& node);

// One point of the matrix; a pipeline without a matrix has one run with no axes.
struct Run {
  std::string id;  // first 10 hex digits of H(all resolved parameters); empty without a matrix
  std::vector<std::pair<std::string, Value>> axes;  // "stage.param" -> value, in the order of the configuration
  std::vector<int> nodes;                           // as Graph::stages

  std::string label() const;  // "train.lr=0.001 train.seed=11"
};

struct Graph {
  std::string pipeline;  // its name
  std::filesystem::path config;
  std::filesystem::path store;
  std::vector<std::string> targets;                             // stage names
  std::vector<std::unique_ptr<const StageDeclaration>> stages;  // upstreams first
  std::vector<Node> nodes;                                      // upstreams first, stage by stage
  std::vector<Run> runs;
  bool has_matrix = false;
  std::string seed_axis;  // [matrix.seeds] path: runs that differ in it alone are replicates; or empty
  std::optional<EarlyStop> early_stop;

  int node_of(const Run& run, std::string_view stage) const;  // -1 when there is no such stage
  int node_of_kind(const Run& run, std::string_view kind) const;
  std::vector<std::string> stage_names() const;
};

// Throws Error(usage) for a name that is not a stage, with the nearest one.
void require_stage(const Graph& graph, const std::string& stage);

}  // namespace penstock::pipeline
