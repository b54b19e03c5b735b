// Compiled by nvcc with -fmad=false: each operation is rounded by itself, as on the host
// (stages/arithmetic/device_arithmetic.h).
#include "stages/cuda/kernels.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <string>

#include "distributed/error.h"
#include "stages/arithmetic/device_sampling.h"

namespace penstock::stages {
namespace {

constexpr int threads = 256;
constexpr int most_blocks = 132 * 16;  // what a Hopper holds at once, twice over

int blocks_for(int64_t items) {
  return static_cast<int>(std::clamp<int64_t>((items + threads - 1) / threads, 1, most_blocks));
}

void check_launch(const char* kernel) {
  const cudaError_t code = cudaGetLastError();
  if (code == cudaSuccess) return;
  throw Error(ExitCode::environment,
              std::string("the kernel '") + kernel + "' could not be started: " + cudaGetErrorString(code));
}

__device__ int64_t first_item() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ int64_t item_stride() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// One thread a pixel.
__global__ void gather(const GatherWork work) {
  const int pixels = work.height * work.width;
  for (int64_t to = first_item(); to < static_cast<int64_t>(work.count) * pixels; to += item_stride()) {
    const int n = static_cast<int>(to / pixels), pixel = static_cast<int>(to % pixels);
    gather_pixel(work, n, pixel);
    for (int t = 0; t < work.targets.count; ++t) {
      work.batch_targets[(static_cast<int64_t>(n) * work.targets.count + t) * pixels + pixel] =
          target_of_pixel(work, n, pixel, work.targets.targets[t]);
    }
  }
}

// One thread a value.
__global__ void blur_lines(const GatherWork work) {
  const int64_t values = static_cast<int64_t>(work.height) * work.width * work.channels;
  for (int64_t i = first_item(); i < work.count * values; i += item_stride())
    blur_along_line(work, static_cast<int>(i / values), i % values);
}
__global__ void blur_columns(const GatherWork work) {
  const int64_t values = static_cast<int64_t>(work.height) * work.width * work.channels;
  for (int64_t i = first_item(); i < work.count * values; i += item_stride())
    blur_along_column(work, static_cast<int>(i / values), i % values);
}

// Integers: the order in which they are added does not matter.
__global__ void tally(const TallyWork work) {
  __shared__ uint32_t counts[4];
  if (threadIdx.x < 4) counts[threadIdx.x] = 0;
  __syncthreads();
  uint32_t mine[4] = {};
  const int64_t pixels = static_cast<int64_t>(work.count) * work.height * work.width;
  for (int64_t i = first_item(); i < pixels; i += item_stride()) {
    if (!counts_in_figures(i, work.height, work.width, work.rows)) continue;
    const bool shown = work.logits[first_channel(i, work.height, work.width, work.channels)] > 0;
    const bool there = work.targets[first_channel(i, work.height, work.width, work.target_channels)] > 0;
    mine[0] += shown && there;
    mine[1] += shown && !there;
    mine[2] += !shown && there;
    mine[3] += !shown && !there;
  }
  for (int k = 0; k < 4; ++k) atomicAdd(&counts[k], mine[k]);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&work.counts[threadIdx.x], counts[threadIdx.x]);
}

__global__ void figures(const FiguresWork work) {
  share_pixels(work.counts, work.pixels, *work.figures);
  work.figures->interrupted = work.orders->interrupted;
}

// The sum of a block's values, by halves; every thread calls it.
__device__ double sum_by_halves(double value) {
  __shared__ double values[norm_width];
  values[threadIdx.x] = value;
  __syncthreads();
  for (int half = norm_width / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) values[threadIdx.x] += values[threadIdx.x + half];
    __syncthreads();
  }
  return values[0];
}

__global__ void square(const JudgeWork work) {
  const double sum = sum_by_halves(
      squares_of_lane(work.gradient, work.count, static_cast<size_t>(blockIdx.x) * norm_width + threadIdx.x));
  if (threadIdx.x == 0) work.partials[blockIdx.x] = sum;
}

__global__ void judge(const JudgeWork work) {
  const double sum = sum_by_halves(work.partials[threadIdx.x]);
  if (threadIdx.x != 0) return;
  StepVerdict& verdict = *work.verdict;
  verdict.norm = sqrt(sum);
  verdict.scale = clip_scale(verdict.norm, work.clip_norm);
  verdict.good = isfinite(verdict.norm) && isfinite(work.figures->loss);
  verdict.figures = *work.figures;
}

__global__ void update(const UpdateWork work) {
  if (work.verdict->good == 0) return;
  const float scale = work.verdict->scale;
  for (int64_t i = first_item(); i < static_cast<int64_t>(work.count); i += item_stride()) {
    const UpdateFactors& factors = work.orders->factors_of_element(i);
    float w = work.weights[i], m = work.first[i];
    if (factors.kind == OptimiserKind::sgd) {
      sgd_element(factors, work.gradient[i] * scale, w, m);
    } else {
      float v = work.second[i];
      adam_element(factors, work.gradient[i] * scale, w, m, v);
      work.second[i] = v;
    }
    work.weights[i] = w;
    work.first[i] = m;
    if (work.rounded != nullptr) work.rounded[i] = bfloat16_of(w);
    if (work.average != nullptr) average_element(work.orders->average_share, w, work.average[i]);
  }
  for (int64_t i = first_item(); i < static_cast<int64_t>(work.statistic_count); i += item_stride()) {
    work.statistics[i] += work.statistics_momentum * (work.step_statistics[i] - work.statistics[i]);
    if (work.average != nullptr)
      average_element(work.orders->average_share, work.statistics[i], work.average_statistics[i]);
  }
}

}  // namespace

void launch_gather(const GatherWork& work, CUstream_st* stream) {
  gather<<<blocks_for(static_cast<int64_t>(work.count) * work.height * work.width), threads, 0, stream>>>(work);
  check_launch("gather");
  if (work.scratch == nullptr) return;
  const int blocks = blocks_for(static_cast<int64_t>(work.count) * work.height * work.width * work.channels);
  blur_lines<<<blocks, threads, 0, stream>>>(work);
  blur_columns<<<blocks, threads, 0, stream>>>(work);
  check_launch("blur");
}

void launch_tally(const TallyWork& work, CUstream_st* stream) {
  tally<<<blocks_for(static_cast<int64_t>(work.count) * work.height * work.width), threads, 0, stream>>>(work);
  check_launch("tally");
}

void launch_figures(const FiguresWork& work, CUstream_st* stream) {
  figures<<<1, 1, 0, stream>>>(work);
  check_launch("figures");
}

void launch_judge(const JudgeWork& work, CUstream_st* stream) {
  square<<<norm_width, norm_width, 0, stream>>>(work);
  judge<<<1, norm_width, 0, stream>>>(work);
  check_launch("judge");
}

void launch_update(const UpdateWork& work, CUstream_st* stream) {
  update<<<blocks_for(static_cast<int64_t>(std::max(work.count, work.statistic_count))), threads, 0, stream>>>(work);
  check_launch("update");
}

}  // namespace penstock::stages
