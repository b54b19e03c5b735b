// What an output depends on, in clear, and the digests that name it.
//
// Recipe key = H(own fields + recipe keys of upstreams): known before anything runs. Action key = H(own fields + output
// digests of upstreams): gives early cut-off. Names, paths, host, time and rank and thread counts are in neither.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/graph.h"

namespace penstock::pipeline {

// The ordered fields of a key: name -> value as text with its type ("parameter train.lr" -> 0.001). Stored in every
// manifest, so that explain compares exactly what was hashed.
struct KeyFields {
  std::vector<std::pair<std::string, Value>> fields;
  Digest key() const;
};

// Schema number, kind, version, parameters that affect the output (as_before ones left out), declared environment.
KeyFields own_fields(const Node& node, const std::map<std::string, std::string>& environment);

// The digest of one input source as it enters a key: an upstream's recipe key with its port, or bytes.
struct SourceDigest {
  std::string run;  // in a fan-in
  Digest digest;
};
// Adds the inputs: (port, digests), a fan-in sorted by run id; others in the order of the configuration.
KeyFields with_inputs(KeyFields own, const Node& node, const std::vector<std::vector<SourceDigest>>& inputs);

struct Difference {
  std::string field;  // "parameter lr", "input images", "version"
  std::string before;
  std::string after;
};
std::vector<Difference> differences(const KeyFields& before, const KeyFields& after);

}  // namespace penstock::pipeline
