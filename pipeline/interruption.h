// Long reads that end when the run is interrupted: digests of inputs and of stored files, listings of folders.
#pragma once

#include <atomic>
#include <filesystem>

namespace penstock::pipeline {

// While it lives, throw_if_interrupted() on this thread looks at `flag`. For work of which nothing is lost when it is
// done again; a commit is not, so that what a stage has finished is kept. Scopes nest; the innermost counts.
class Interruptible {
 public:
  explicit Interruptible(const std::atomic<bool>& flag);
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  const std::atomic<bool>* outer_;
};

// Error(interrupted) that names what was being read; nothing outside of every scope. Cheap: call it for each part read.
void throw_if_interrupted(const std::filesystem::path& reading);

}  // namespace penstock::pipeline
