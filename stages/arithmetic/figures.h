// The figures of training: those of one step, as they ride behind its gradient, and those of many samples or steps.
// Plain values; also read by the kernels (stages/cuda/kernels.cu).
#pragma once

namespace penstock::stages {

// One step's, of which one reduction sums every field over micro-shards and ranks. float32, as the gradient.
struct StepFigures {
  float loss = 0;                        // mean over the samples of the global batch
  float tp = 0, fp = 0, fn = 0, tn = 0;  // shares of the pixels, logits above 0 being foreground
  float interrupted = 0;                 // above 0: some rank was asked to stop
};

// Floats behind the running statistics in a micro-shard's vector.
inline constexpr int figure_count = sizeof(StepFigures) / sizeof(float);
static_assert(figure_count == 6, "a step's figures are summed as plain floats");

// Of an epoch or of validation, or the sums that these come from.
struct Figures {
  double loss = 0, tp = 0, fp = 0, fn = 0, tn = 0;

  Figures& operator+=(const Figures& other) {
    loss += other.loss, tp += other.tp, fp += other.fp, fn += other.fn, tn += other.tn;
    return *this;
  }
  Figures operator/(double count) const { return {loss / count, tp / count, fp / count, fn / count, tn / count}; }
};

}  // namespace penstock::stages
