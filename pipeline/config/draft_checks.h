// Checks of what refers to other stages: inputs, needs, targets, and parameters that must fit together. Called by
// read_draft and load_config.
#pragma once

#include <functional>

#include "pipeline/config/draft.h"
#include "pipeline/syntax/diagnostic.h"

namespace penstock::pipeline {

// Fills in every stage's ports, and reports each input, need and target that names nothing, and each input that is
// missing.
void check_draft(Draft& draft, Diagnostics& diagnostics);

// Reports each gathering ("[split.seed]") over what is none of `axes`, the parameters that a matrix varies.
void check_fan_ins(const Draft& draft, const std::vector<std::pair<std::string, Position>>& axes,
                   Diagnostics& diagnostics);

// The kinds' own checks, stage by stage, for a configuration that has other faults already and so will get no graph.
// Stages that are faulty themselves, or whose parameters are among `axes`, are left alone.
void check_parameters(const Draft& draft, const std::vector<std::pair<std::string, Position>>& axes,
                      Diagnostics& diagnostics);

// What a kind's check found, as an error at the parameter at fault. `related` gives the place of the other parameter
// and describes it, where there is one.
void report_problem(const std::string& stage, const Problem& problem, const Position& place,
                    const std::optional<Note>& related, Diagnostics& diagnostics);

}  // namespace penstock::pipeline
