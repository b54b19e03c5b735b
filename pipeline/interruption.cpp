#include "pipeline/interruption.h"

#include <utility>

#include "distributed/error.h"

namespace penstock::pipeline {
namespace {

thread_local const std::atomic<bool>* watched = nullptr;

}  // namespace

Interruptible::Interruptible(const std::atomic<bool>& flag) : outer_(std::exchange(watched, &flag)) {}
Interruptible::~Interruptible() { watched = outer_; }

void throw_if_interrupted(const std::filesystem::path& reading) {
  if (watched == nullptr || !watched->load(std::memory_order_relaxed)) return;
  throw Error(ExitCode::interrupted, "interrupted while reading " + reading.string() + "; the same command resumes");
}

}  // namespace penstock::pipeline
