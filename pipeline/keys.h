// What an output depends on, in clear, and the digests that name it.
//
// Recipe key = H(own fields + recipe keys of upstreams): known before anything runs. Action key = H(own fields + output
// digests of upstreams): what follows an upstream that ran again and gave the same bytes is a hit. Names, paths, host,
// time, and rank and thread counts are in neither. Pure functions; any thread.
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

// Adds a value with its type: a boolean, a number, text, or a list of these.
void add_to(Hasher& hasher, const Value& value);

// Schema number, kind, version, parameters that affect the output (as_before ones left out), declared environment.
KeyFields own_fields(const Node& node);

// What the environment declares for this instance's key; empty for most kinds.
std::map<std::string, std::string> environment_of(const Node& node);

// One input source as it enters a key: the digest of its bytes.
struct SourceDigest {
  std::string run;  // its id, in a fan-in
  Digest digest;
};
// Adds the inputs: (port, digests), a fan-in sorted by run id; others in the order of the configuration.
KeyFields with_inputs(KeyFields own, const Node& node, const std::vector<std::vector<SourceDigest>>& inputs);

// The kind of stage that a key belongs to; empty when there is none.
std::string kind_of(const KeyFields& fields);

struct Difference {
  std::string field;  // "parameter lr", "input images", "version"
  std::string before;
  std::string after;
};
std::vector<Difference> differences(const KeyFields& before, const KeyFields& after);

}  // namespace penstock::pipeline
