// The plan's shape: every stage instance of every run of a pipeline, each once, in an order that can be executed.
//
// Immutable after build_graph; safe to read from any thread. Made on rank 0 (or in a command that runs nothing).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/stage.h"

namespace penstock::pipeline {

// Where something was written: "configs/dsb2018.toml:38:1", or "--set train.lr=3" with line 0.
struct Position {
  std::string file;
  int line = 0;    // from 1; 0: no line (a flag, the environment, a default)
  int column = 0;  // from 1
};
std::string to_string(const Position& position);

// One source of an input: a file or folder outside, or an output of another node.
struct Source {
  int node = -1;                   // index into Graph::nodes; -1: outside
  std::string port;                // of that node
  std::filesystem::path external;  // absolute or relative to the working directory
  std::string sha256;              // the pinned digest of an outside file, or empty
  std::string origin;              // where to get the file, for the message when it is missing; or empty
  std::string run;                 // in a fan-in: the run id; else empty
  Position position;
};

struct Input {
  std::string port;
  bool fan_in = false;
  std::vector<Source> sources;  // one, or several where the port takes many
};

// A stage with its parameters and inputs. Runs that agree on all of these share the node.
struct Node {
  std::string stage;  // name in the configuration
  const StageKind* kind = nullptr;
  Values values;      // complete: defaults included
  std::vector<Input> inputs;       // in the order of input_ports
  std::vector<int> needs;          // order only
  std::vector<Port> input_ports;   // the kind's, or what the configuration declares (command)
  std::vector<Port> output_ports;
  std::vector<int> runs;           // indices into Graph::runs that hold this node
  bool cacheable = true;
  bool resume = true;
  Position position;               // of the stage's table
};

// One point of the matrix; a pipeline without a matrix has one run with an empty label.
struct Run {
  std::string id;     // first 10 hex digits of H(all resolved parameters); empty without a matrix
  std::string label;  // "train.lr=0.001 train.seed=11"
  std::vector<std::pair<std::string, Value>> axes;
  std::vector<std::pair<std::string, int>> nodes;  // stage name -> node, in execution order
  int node(std::string_view stage) const;          // -1 when the run has no such stage
};

struct Graph {
  std::string pipeline;  // its name
  std::filesystem::path config;
  std::filesystem::path store;
  std::vector<std::string> targets;  // stage names
  std::vector<Node> nodes;           // upstreams first
  std::vector<Run> runs;
  bool has_matrix = false;
};

// The nodes that `targets` need, upstreams first. Throws Error(usage) for a name no run has, with the nearest one.
std::vector<int> needed_nodes(const Graph& graph, const std::vector<std::string>& targets);

}  // namespace penstock::pipeline
