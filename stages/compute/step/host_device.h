// The host as a StepDevice: what a GPU does, in plain loops in the same order of additions. It is the reference that
// kernels are compared with, and trains in bfloat16 where there is no GPU. Its work is done when a call returns.
#pragma once

#include <memory>
#include <vector>

#include "distributed/communicator.h"
#include "stages/compute/step/step_device.h"

namespace penstock::stages {

// `ranks` must outlive it. Operations of LibTorch use `threads` threads.
std::unique_ptr<StepDevice> host_device(distributed::Communicator& ranks, int threads);

// The kernels' arithmetic, one call each; all pointers are the host's.
void host_gather(const GatherWork& work);
void host_tally(const TallyWork& work);
void host_figures(const FiguresWork& work);
void host_judge(const JudgeWork& work);
void host_update(const UpdateWork& work);

}  // namespace penstock::stages
