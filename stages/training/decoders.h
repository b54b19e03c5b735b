// The choices of eval.decoder: how objects are made of what a network says of each pixel. Pure. The functions are in
// stages/compute/scores/decoders.cpp; a new decoder is a row here and a function there, and a test compares the tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct DecoderRule {
  std::string name, help;
  std::string target = {};  // that a network must have learned beside the mask; empty: none
  bool has_seeds = false;   // objects grow from seeds, which `seed_threshold` decides
};

const std::vector<DecoderRule>& decoder_rules();
void add_row(DecoderRule rule);                          // of a user's own program: compute/extensions.h
const DecoderRule& decoder_rule(std::string_view name);  // fails a check where there is none of that name

// Whether a network with these targets has learned what the decoder needs.
bool can_decode(const DecoderRule& rule, const std::vector<std::string>& targets);

// What "auto" stands for, for a network with these targets.
std::string usual_decoder(const std::vector<std::string>& targets);

}  // namespace penstock::stages
