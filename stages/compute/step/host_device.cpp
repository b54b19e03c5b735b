#include "stages/compute/step/host_device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <array>
#include <cmath>
#include <cstring>

#include "stages/arithmetic/device_sampling.h"

namespace penstock::stages {
namespace {

// The sum of norm_width values as a block of threads takes it: by halves.
double sum_by_halves(std::array<double, norm_width>& values) {
  for (int half = norm_width / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) values[lane] += values[lane + half];
  }
  return values[0];
}

class HostDevice final : public StepDevice {
 public:
  HostDevice(distributed::Communicator& ranks, int threads) : ranks_(ranks), threads_(threads) {}

  torch::Device place() const override { return torch::kCPU; }
  std::string name() const override { return "cpu"; }
  Memory memory() const override { return {}; }

  void* exchange_memory(size_t bytes) override {
    memory_.push_back(std::make_unique<uint64_t[]>(bytes / sizeof(uint64_t) + 1));
    return memory_.back().get();
  }
  void copy_in(void* device, const void* host, size_t bytes) override { std::memcpy(device, host, bytes); }
  void copy_out(void* host, const void* device, size_t bytes) override { std::memcpy(host, device, bytes); }

  void gather(const GatherWork& work) override { host_gather(work); }
  void tally(const TallyWork& work) override { host_tally(work); }
  void figures(const FiguresWork& work) override { host_figures(work); }
  void judge(const JudgeWork& work) override { host_judge(work); }
  void update(const UpdateWork& work) override { host_update(work); }

  void all_reduce(float* values, size_t count, std::string_view what) override {
    ranks_.all_reduce(distributed::buffer_of(values, count), what);
  }
  void join() override {}

  // LibTorch's number of threads is the calling thread's own; ranks that are threads of one process do not disturb each
  // other.
  void run(const std::function<void()>& work) override {
    if (at::get_num_threads() != threads_) at::set_num_threads(threads_);  // setting it forgets compiled convolutions
    work();
  }
  bool record(const std::function<void()>&) override { return false; }
  void replay() override {}
  void wait(std::string_view) override {}
  std::optional<at::Generator> generator(uint64_t seed) override {
    return at::make_generator<at::CPUGeneratorImpl>(seed);
  }

 private:
  distributed::Communicator& ranks_;
  int threads_;
  std::vector<std::unique_ptr<uint64_t[]>> memory_;
};

}  // namespace

std::unique_ptr<StepDevice> host_device(distributed::Communicator& ranks, int threads) {
  return std::make_unique<HostDevice>(ranks, threads);
}

void host_gather(const GatherWork& work) {
  const int64_t pixels = int64_t{work.height} * work.width;
  for (int n = 0; n < work.count; ++n) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      gather_pixel(work, n, static_cast<int>(pixel));
      for (int t = 0; t < work.targets.count; ++t)
        work.batch_targets[(int64_t{n} * work.targets.count + t) * pixels + pixel] =
            target_of_pixel(work, n, static_cast<int>(pixel), work.targets.targets[t]);
    }
  }
  if (work.scratch == nullptr) return;
  for (const auto along : {blur_along_line, blur_along_column}) {
    for (int n = 0; n < work.count; ++n) {
      for (int64_t at = 0; at < pixels * work.channels; ++at) along(work, n, at);
    }
  }
}

void host_tally(const TallyWork& work) {
  const int64_t pixels = int64_t{work.count} * work.height * work.width;
  for (int64_t i = 0; i < pixels; ++i) {
    if (!counts_in_figures(i, work.height, work.width, work.rows)) continue;
    const bool shown = work.logits[first_channel(i, work.height, work.width, work.channels)] > 0;
    const bool there = work.targets[first_channel(i, work.height, work.width, work.target_channels)] > 0;
    ++work.counts[shown ? (there ? 0 : 1) : (there ? 2 : 3)];
  }
}

void host_figures(const FiguresWork& work) {
  share_pixels(work.counts, work.pixels, *work.figures);
  work.figures->interrupted = work.orders->interrupted;
}

void host_judge(const JudgeWork& work) {
  std::array<double, norm_width> blocks, lanes;
  for (int block = 0; block < norm_width; ++block) {
    for (int lane = 0; lane < norm_width; ++lane)
      lanes[lane] = squares_of_lane(work.gradient, work.count, static_cast<size_t>(block) * norm_width + lane);
    blocks[block] = sum_by_halves(lanes);
  }
  StepVerdict& verdict = *work.verdict;
  verdict.norm = std::sqrt(sum_by_halves(blocks));
  verdict.scale = clip_scale(verdict.norm, work.clip_norm);
  verdict.good = std::isfinite(verdict.norm) && std::isfinite(work.figures->loss);
  verdict.figures = *work.figures;
}

void host_update(const UpdateWork& work) {
  if (work.verdict->good == 0) return;
  const float scale = work.verdict->scale;
  for (size_t i = 0; i < work.count; ++i) {
    const UpdateFactors& factors = work.orders->factors_of_element(static_cast<int64_t>(i));
    if (factors.kind == OptimiserKind::sgd)
      sgd_element(factors, work.gradient[i] * scale, work.weights[i], work.first[i]);
    else
      adam_element(factors, work.gradient[i] * scale, work.weights[i], work.first[i], work.second[i]);
    if (work.rounded != nullptr) work.rounded[i] = bfloat16_of(work.weights[i]);
    if (work.average != nullptr) average_element(work.orders->average_share, work.weights[i], work.average[i]);
  }
  for (size_t i = 0; i < work.statistic_count; ++i) {
    work.statistics[i] += work.statistics_momentum * (work.step_statistics[i] - work.statistics[i]);
    if (work.average != nullptr)
      average_element(work.orders->average_share, work.statistics[i], work.average_statistics[i]);
  }
}

}  // namespace penstock::stages
