// Saving a training's state in the background, and finding the checkpoint to resume from. Rank 0 writes, on a thread of
// its own; all ranks read the same checkpoint.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "distributed/communicator.h"
#include "stages/compute/training/checkpoint.h"

namespace penstock::stages {

// What saving has cost so far, for telemetry and for the interval.
struct CheckpointCost {
  int64_t count = 0;
  double blocked_seconds = 0;  // training stood still: the snapshot, and waiting for the write before
  double writer_seconds = 0;   // processor time of the writing thread
  double write_seconds = 0;    // from snapshot to disk, as the clock goes
  uint64_t bytes = 0;          // of the last
};

// Written by one thread at a time in the background; one is under way at most. Rank 0 only.
class CheckpointWriter {
 public:
  CheckpointWriter(std::filesystem::path folder, size_t kept);
  ~CheckpointWriter();  // lets the last write end

  // Takes the snapshot and returns at once, unless the previous one is still being written. Rethrows what that one
  // failed with: a training whose state cannot be saved ends. `since`: when training stopped for this snapshot.
  void save(Checkpoint snapshot, CheckpointManifest manifest, std::chrono::steady_clock::time_point since);
  void finish();  // waits for the last, and rethrows what it failed with
  CheckpointCost cost() const;

 private:
  void work();

  CheckpointFolder folder_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::pair<Checkpoint, CheckpointManifest>> task_;
  bool busy_ = false, closing_ = false;
  std::exception_ptr failure_;
  CheckpointCost cost_;
  std::thread thread_;
};

// Seconds between checkpoints: as given, or ("auto") from the cost so far, so that saving takes 0.6 % of the time, up
// to twice that while each epoch is the best so far.
double checkpoint_interval(const TrainParameters& parameters, const CheckpointCost& cost);

// mpirun kills ranks a second after it has forwarded SIGTERM. The advice to log when a step and a save take longer;
// empty when they do not, or when their times are not known yet.
std::string stopping_advice(int ranks, double step_seconds, const CheckpointCost& cost);

// A checkpoint to resume from.
struct FoundCheckpoint {
  std::filesystem::path folder;
  CheckpointManifest manifest;
  Checkpoint checkpoint;
};

// Collective. The newest of `folder`, else the furthest of the relatives that a run with these parameters would have
// passed through; damaged ones are skipped. Chosen on rank 0; the others read the same, or all throw Error(ranks).
std::optional<FoundCheckpoint> find_checkpoint(distributed::Communicator& ranks, const std::filesystem::path& folder,
                                               const std::vector<std::filesystem::path>& relatives,
                                               const TrainParameters& parameters);

// What the bits of a training depend on beside its parameters: versions, processor, device, ranks and threads. Name ->
// text.
pipeline::Value fingerprint(int ranks, int threads, const std::string& reproducible, const std::string& device);
// "LibTorch 2.11.0 -> 2.12.0, threads 2 -> 4": what differs and matters for the bits under the mode both were made
// with.
std::string differences_of(const pipeline::Value& before, const pipeline::Value& now);

}  // namespace penstock::stages
