// ensemble: puts several trained models into one folder. The body is in compute/ensemble_body.cpp.
#include "stages/compute_library.h"
#include "stages/kinds.h"

namespace penstock::stages {

pipeline::StageKind ensemble_kind() {
  pipeline::StageKind kind;
  kind.name = "ensemble";
  kind.summary = "puts several trained models into one, whose probabilities are the mean of theirs";
  kind.inputs = {{.name = "models", .help = "train.model[*] of a matrix over seeds or folds, or a list", .many = true}};
  kind.outputs = {{.name = "model", .help = "their weights, model.json, architecture.json"}};
  kind.body = [] { return compute_body("ensemble"); };
  return kind;
}

}  // namespace penstock::stages
