// A configuration after reading and before expansion: stages with their values and inputs, and the matrix. Internal to
// load_config.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/config/config.h"
#include "pipeline/config/diagnostic.h"
#include "pipeline/config/document.h"

namespace penstock::pipeline {

struct DraftSource {
  std::string stage;  // empty: outside
  std::string fan;    // "" one run's, "*" all runs, else the axis to gather over
  Position fan_position = {};
  DeclaredSource declared = {};
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
  std::optional<Position> inputs_position;  // of the word `inputs`
  bool inputs_unread = false;               // it is there, misspelt or of another type: none is called missing
  std::vector<std::pair<std::string, Position>> needs;
  bool faulty = false;  // a key or value of it was refused: its values are not what was meant

  const std::string& name() const { return declaration.stage; }
  const Position& position() const { return declaration.position; }
  const StageKind& kind() const { return *declaration.kind; }
  Values plain_values() const;
  const DraftInput* input(const std::string& port) const;  // nullptr when it is not given
  std::vector<std::string> upstreams() const;              // stages that inputs and needs name, with repeats
};

// "stage.param" -> value, in the order they were written.
using Assignment = std::vector<std::pair<std::string, Value>>;
std::string text_of(const Assignment& assignment,
                    std::string_view without = "");  // equal when they are; leaves out one key

// A run of the matrix before it has nodes.
struct Point {
  Assignment values;
  int include = -1;  // index into MatrixDraft::includes, for a run that one of them adds
};

struct Draft {
  std::string name;
  std::filesystem::path store = ".penstock";
  std::vector<std::pair<std::string, Position>> targets;
  std::vector<DraftStage> stages;  // in the order of the file
  std::set<std::string>
      unread;  // stages of unknown kind, and the kinds that were probably meant: no more is said of them
  std::optional<Tree> matrix;
  Position matrix_position;

  DraftStage* find(const std::string& stage);
  const DraftStage* find(const std::string& stage) const { return const_cast<Draft*>(this)->find(stage); }
  std::vector<std::string> stage_names() const;
  std::vector<std::string> parameter_paths() const;               // "train.lr" of every stage
  const Specification* parameter(const std::string& path) const;  // nullptr when "stage.param" is none
  const Value& value(const std::string& path) const;              // of a parameter, before a matrix sets it
};

struct MatrixDraft;  // matrix_draft.h

// Reads the file (and its base), the environment and the flags. Problems go to `diagnostics`.
Draft read_draft(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics);

// The points of the matrix; one empty point without one. More than its max_runs are refused before they are made.
std::vector<Point> expand_matrix(const Draft& draft, const MatrixDraft& matrix, Diagnostics& diagnostics);

// The rule of [matrix.early_stop]; nullopt without one.
std::optional<EarlyStop> read_early_stop(const Draft& draft, Diagnostics& diagnostics);

// Stages in an order that can be executed; indices into draft.stages. A circle is reported as a path.
std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics);

// Nodes and runs. Call only when nothing was reported.
Graph build_graph(const Draft& draft, const MatrixDraft& matrix, const std::vector<int>& order,
                  const std::vector<Point>& points, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
