// How one stage instance ended: what its group reports to rank 0, and what rank 0 hands to the writer of the run's
// folder. A value; travels between ranks as JSON.
#pragma once

#include <string>
#include <vector>

#include "distributed/error.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

enum class Ending {
  hit,
  ran,
  failed,
  interrupted,
  pruned,       // given up in its sweep; its state is kept
  damaged,      // did not start: an input's stored bytes are bad (NodeResult::damaged); never passed to publish
  not_reached,  // did not start: something upstream did not end well
};
const char* name_of(Ending ending);  // "hit", "ran", ... "not reached": as events, lineage and `run --json` say it
Ending ending_of(ExitCode code);     // ran, interrupted or failed

struct NodeResult {
  int node = -1;  // index into Graph::nodes
  Ending ending = Ending::not_reached;
  std::string reason;  // why it ran, or why it is a hit, or why it was not reached
  double seconds = 0;
  ExitCode code = ExitCode::done;
  std::string message;           // of a failure
  PublicationPointer published;  // of hit and ran
  std::vector<int> damaged;      // nodes whose stored output is bad

  bool good() const { return ending == Ending::hit || ending == Ending::ran; }
};

std::string to_text(const NodeResult& result);
NodeResult result_from_text(const std::string& text);

}  // namespace penstock::pipeline
