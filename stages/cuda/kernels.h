// The kernels of a training step: what compute/host_device.h does in loops, to the bit. Each call enqueues on `stream`
// and returns; a launch that fails throws Error(environment). Called by cuda_device.cpp only.
#pragma once

#include "stages/arithmetic/device_work.h"

struct CUstream_st;

namespace penstock::stages {

void launch_gather(const GatherWork& work, CUstream_st* stream);
void launch_tally(const TallyWork& work, CUstream_st* stream);
void launch_figures(const FiguresWork& work, CUstream_st* stream);
void launch_judge(const JudgeWork& work, CUstream_st* stream);
void launch_update(const UpdateWork& work, CUstream_st* stream);

}  // namespace penstock::stages
