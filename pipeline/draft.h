// A configuration after reading and before expansion: stages with their values and inputs, and the matrix. Internal to
// load_config.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config.h"
#include "pipeline/diagnostic.h"
#include "pipeline/document.h"

namespace penstock::pipeline {

struct DraftSource {
  std::string stage;  // empty: outside
  std::string fan;    // "" one run's, "*" all runs, else the axis to gather over
  DeclaredSource declared;
};

struct DraftInput {
  std::string port;
  Position position;
  std::vector<DraftSource> sources;
};

struct DraftValue {
  Value value;
  Position position;
  std::string origin;
};

struct DraftStage {
  StageDeclaration declaration;              // but for values and inputs, which are:
  std::map<std::string, DraftValue> values;  // every parameter of the kind, defaults included
  std::vector<DraftInput> inputs;
  std::vector<std::pair<std::string, Position>> needs;

  const std::string& name() const { return declaration.stage; }
  const Position& position() const { return declaration.position; }
  const StageKind& kind() const { return *declaration.kind; }
  Values plain_values() const;
  const DraftInput* input(const std::string& port) const;  // nullptr when it is not given
  std::vector<std::string> upstreams() const;              // stages that inputs and needs name, with repeats
};

// A run of the matrix before it has nodes: "stage.param" -> value, in the order of the axes.
using Point = std::vector<std::pair<std::string, Value>>;

struct Draft {
  std::string name;
  std::filesystem::path store = ".penstock";
  std::vector<std::pair<std::string, Position>> targets;
  std::vector<DraftStage> stages;  // in the order of the file
  std::optional<Tree> matrix;
  Position matrix_position;

  DraftStage* find(const std::string& stage);
  const DraftStage* find(const std::string& stage) const { return const_cast<Draft*>(this)->find(stage); }
  std::vector<std::string> stage_names() const;
};

// Reads the file (and its base), the environment and the flags. Problems go to `diagnostics`.
Draft read_draft(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics);

// The points of the matrix; one empty point without one.
std::vector<Point> expand_matrix(const Draft& draft, Diagnostics& diagnostics);

// The rule of [matrix.early_stop]; nullopt without one.
std::optional<EarlyStop> read_early_stop(const Draft& draft, Diagnostics& diagnostics);

// Stages in an order that can be executed; indices into draft.stages. A circle is reported as a path.
std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics);

// Nodes and runs. Call only when nothing was reported.
Graph build_graph(const Draft& draft, const std::vector<int>& order, const std::vector<Point>& points, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
