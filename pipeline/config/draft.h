// A configuration after reading and before expansion: stages with their values and inputs, and the matrix. Internal to
// load_config.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipeline/config/config_request.h"
#include "pipeline/graph.h"
#include "pipeline/syntax/diagnostic.h"
#include "pipeline/syntax/document.h"

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

// As Tree in document.h: the move of the JSON library is taken for an exception.
struct DraftValue {  // NOLINT(bugprone-exception-escape)
  Value value;
  Position position;
  std::string origin;
};

struct DraftStage {
  StageDeclaration declaration;              // without values and inputs, which are:
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
  std::vector<std::string> given() const;                  // names of the parameters that someone set
  const DraftInput* input(const std::string& port) const;  // nullptr when it is not given
  std::vector<std::string> upstreams() const;              // stages that inputs and needs name, with repeats
};

struct Draft {
  std::string name;
  std::filesystem::path store = ".penstock";
  std::vector<std::pair<std::string, Position>> targets;
  std::vector<DraftStage> stages;  // in the order of the file
  std::set<std::string>
      unread;  // stages of unknown kind, and the kinds that were probably meant: nothing more is reported of them
  std::optional<Tree> matrix;
  Position matrix_position;

  DraftStage* find(const std::string& stage);
  const DraftStage* find(const std::string& stage) const { return const_cast<Draft*>(this)->find(stage); }
  std::vector<std::string> stage_names() const;
  std::vector<std::string> parameter_paths() const;               // "train.lr" of every stage
  const Specification* parameter(const std::string& path) const;  // nullptr when "stage.param" is none
  const Value& value(const std::string& path) const;              // of a parameter, before a matrix sets it
};

// Reads the file (and its base), the environment and the flags. Problems go to `diagnostics`.
Draft read_draft(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
