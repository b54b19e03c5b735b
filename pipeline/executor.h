// Rank 0's side of a run: goes through the plan, looks up or runs each stage, and tells the other ranks what to do.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "pipeline/runner.h"
#include "pipeline/stage_call.h"

namespace penstock::pipeline {

class Executor {
 public:
  Executor(const Graph& graph, const RunOptions& options, const RankTools& tools, Store& store, Plan plan);

  // Every run of the matrix, one after another; calls options.publish after each. Returns the code of the first failure.
  ExitCode execute();

 private:
  const NodeResult& obtain(int node);
  NodeResult run_or_reuse(int node);
  NodeResult run_stage(int node, const KeyFields& fields, const std::string& reason);
  distributed::Outcome call(int node, const StageCall& call, const std::function<void(const distributed::Outcome&)>& before_abort);
  StageCall make_call(int node, const Digest& action, const std::filesystem::path& staging) const;
  ChunkKeys chunk_keys(int node) const;
  bool upstreams_ready(int node, NodeResult& result);
  bool inputs_intact(int node, NodeResult& result);
  void publish_run(const Run& run);
  void judge(int node, NodeResult& result) const;
  std::vector<NodeResult> results_of(const Run& run) const;
  const Run& run_of(int node) const;

  const Graph& graph_;
  const RunOptions& options_;
  const RankTools& tools_;
  Store& store_;
  Plan plan_;
  std::map<int, NodeResult> results_;
  std::map<int, Manifest> published_;
  std::set<int> damaged_;  // their stored output was bad: must run
  bool stopping_ = false;  // after a failure or an interruption nothing new starts
};

}  // namespace penstock::pipeline
