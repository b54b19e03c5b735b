#include "stages/compute/model/norm_relu.h"

#include <torch/csrc/autograd/custom_function.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "distributed/check.h"
#include "stages/arithmetic/device_arithmetic.h"

namespace penstock::stages {
namespace {

constexpr int64_t rows_in_float = 256;
constexpr int64_t rows_of_guess = 64;

// The same source for each type of processor; the best is chosen when the library is opened.
#define PENSTOCK_FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))

// A value in memory, float32 or the bits of a bfloat16, as float32; and back, rounded to the nearest.
inline float widened(float value) { return value; }
inline float widened(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
inline void put(float value, float& place) { place = value; }
inline void put(float value, uint16_t& place) { place = bfloat16_of(value); }

// The values of a tensor of T: float, or the bits of bfloat16.
template <typename T>
T* values_in(const torch::Tensor& tensor) {
  return reinterpret_cast<T*>(tensor.data_ptr());
}

// A tensor's memory as rows of `width` values: the channels of one pixel, or of so many that a row fills the
// processor's registers; what belongs to a channel is then repeated along the row. The last row may be shorter, by
// whole pixels.
struct Rows {
  explicit Rows(const torch::Tensor& x)
      : channels(x.size(1)), width(channels * std::max<int64_t>(1, 64 / channels)), count(x.numel()) {}
  double values() const { return static_cast<double>(count / channels); }  // a channel

  std::vector<float> repeated(const std::vector<float>& each) const {
    std::vector<float> row(static_cast<size_t>(width));
    for (int64_t i = 0; i < width; ++i) row[i] = each[i % channels];
    return row;
  }
  std::vector<double> folded(const std::vector<double>& row) const {
    std::vector<double> each(static_cast<size_t>(channels));
    for (int64_t i = 0; i < width; ++i) each[i % channels] += row[i];
    return each;
  }

  int64_t channels, width, count;
};

// Adds x - guess, and its square.
template <typename T>
PENSTOCK_FOR_EACH_PROCESSOR void add_deviations(const T* __restrict x, int64_t count, int64_t width,
                                                const float* __restrict guess, float* __restrict sums,
                                                float* __restrict squares) {
  for (int64_t begin = 0; begin < count; begin += width) {
    const int64_t length = std::min(width, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      const float apart = widened(x[begin + i]) - guess[i];
      sums[i] += apart;
      squares[i] += apart * apart;
    }
  }
}

// y = max(0, scale * x + shift).
template <typename T>
PENSTOCK_FOR_EACH_PROCESSOR void write_relu(const T* __restrict x, T* __restrict y, int64_t count, int64_t width,
                                            const float* __restrict scale, const float* __restrict shift) {
  for (int64_t begin = 0; begin < count; begin += width) {
    const int64_t length = std::min(width, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      const float value = widened(x[begin + i]) * scale[i] + shift[i];
      put(value > 0 ? value : 0, y[begin + i]);
    }
  }
}

// Adds the gradient behind the ReLU, and it times (x - mean).
template <typename T>
PENSTOCK_FOR_EACH_PROCESSOR void add_gradients(const T* __restrict x, const T* __restrict dy, int64_t count,
                                               int64_t width, const float* __restrict scale,
                                               const float* __restrict shift, const float* __restrict mean,
                                               float* __restrict sums, float* __restrict products) {
  for (int64_t begin = 0; begin < count; begin += width) {
    const int64_t length = std::min(width, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      const float value = widened(x[begin + i]), given = widened(dy[begin + i]);
      const float behind = value * scale[i] + shift[i] > 0 ? given : 0;
      sums[i] += behind;
      products[i] += behind * (value - mean[i]);
    }
  }
}

// dx = scale * (behind - mean_dy - (x - mean) * slope), where `behind` is the gradient behind the ReLU.
template <typename T>
PENSTOCK_FOR_EACH_PROCESSOR void write_gradient(const T* __restrict x, const T* __restrict dy, T* __restrict dx,
                                                int64_t count, int64_t width, const float* __restrict scale,
                                                const float* __restrict shift, const float* __restrict mean,
                                                const float* __restrict mean_dy, const float* __restrict slope) {
  for (int64_t begin = 0; begin < count; begin += width) {
    const int64_t length = std::min(width, count - begin);
    for (int64_t i = 0; i < length; ++i) {
      const float value = widened(x[begin + i]), given = widened(dy[begin + i]);
      const float behind = value * scale[i] + shift[i] > 0 ? given : 0;
      put((behind - mean_dy[i] - (value - mean[i]) * slope[i]) * scale[i], dx[begin + i]);
    }
  }
}

// Two sums of each channel: `add(begin, count, first, second)` adds some rows' values in float32.
template <typename Add>
std::pair<std::vector<double>, std::vector<double>> sums_of(const Rows& rows, Add&& add) {
  const auto width = static_cast<size_t>(rows.width);
  std::vector<double> first(width), second(width);
  std::vector<float> part_first(width), part_second(width);
  for (int64_t begin = 0; begin < rows.count; begin += rows_in_float * rows.width) {
    std::fill(part_first.begin(), part_first.end(), 0.0f);
    std::fill(part_second.begin(), part_second.end(), 0.0f);
    add(begin, std::min(rows_in_float * rows.width, rows.count - begin), part_first.data(), part_second.data());
    for (size_t i = 0; i < width; ++i)
      first[i] += static_cast<double>(part_first[i]), second[i] += static_cast<double>(part_second[i]);
  }
  return {rows.folded(first), rows.folded(second)};
}

std::vector<float> values_of(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), tensor.data_ptr<float>() + tensor.numel()};
}

// batch_norm(x) = scale * x + shift.
struct Lines {
  Lines(const Rows& rows, const torch::Tensor& weight, const torch::Tensor& bias, const torch::Tensor& mean,
        const torch::Tensor& deviation)
      : scale(values_of(weight)), shift(values_of(bias)) {
    const std::vector<float> means = values_of(mean), inverses = values_of(deviation);
    for (size_t c = 0; c < scale.size(); ++c) {
      scale[c] *= inverses[c];
      shift[c] -= means[c] * scale[c];
    }
    scale = rows.repeated(scale);
    shift = rows.repeated(shift);
  }
  std::vector<float> scale, shift;
};

template <typename T>
class NormRelu final : public torch::autograd::Function<NormRelu<T>> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias, torch::Tensor running_mean,
                               torch::Tensor running_var) {
    const Rows rows(x);
    const T* from = values_in<T>(x);
    std::vector<float> guess(static_cast<size_t>(rows.channels));
    const int64_t guessed = std::min(rows_of_guess * rows.channels, rows.count);
    for (int64_t i = 0; i < guessed; ++i)
      guess[i % rows.channels] += widened(from[i]) * static_cast<float>(rows.channels) / static_cast<float>(guessed);
    const std::vector<float> along = rows.repeated(guess);
    const auto [sums, squares] = sums_of(rows, [&](int64_t begin, int64_t count, float* first, float* second) {
      add_deviations(from + begin, count, rows.width, along.data(), first, second);
    });

    auto inverse = torch::empty({rows.channels}), mean = torch::empty({rows.channels});
    for (int64_t c = 0; c < rows.channels; ++c) {
      const double off = sums[c] / rows.values(), variance = std::max(0.0, squares[c] / rows.values() - off * off);
      mean.data_ptr<float>()[c] = static_cast<float>(static_cast<double>(guess[c]) + off);
      inverse.data_ptr<float>()[c] = static_cast<float>(1 / std::sqrt(variance + norm_epsilon));
      running_var.data_ptr<float>()[c] = static_cast<float>(variance * rows.values() / (rows.values() - 1));
    }
    running_mean.copy_(mean);
    auto y = torch::empty_like(x);
    const Lines lines(rows, weight, bias, mean, inverse);
    write_relu(from, values_in<T>(y), rows.count, rows.width, lines.scale.data(), lines.shift.data());
    context->save_for_backward({x, weight, bias, mean, inverse});
    return y;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3], &inverse = saved[4];
    const torch::Tensor dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const Rows rows(x);
    const Lines lines(rows, weight, bias, mean, inverse);
    const std::vector<float> means = rows.repeated(values_of(mean));
    const T *from = values_in<T>(x), *given = values_in<T>(dy);
    const auto [sums, products] = sums_of(rows, [&](int64_t begin, int64_t count, float* first, float* second) {
      add_gradients(from + begin, given + begin, count, rows.width, lines.scale.data(), lines.shift.data(),
                    means.data(), first, second);
    });

    auto dx = torch::empty_like(x), d_weight = torch::empty({rows.channels}), d_bias = torch::empty({rows.channels});
    std::vector<float> mean_dy, slope;
    for (int64_t c = 0; c < rows.channels; ++c) {
      const auto deviation = static_cast<double>(inverse.data_ptr<float>()[c]);
      d_bias.data_ptr<float>()[c] = static_cast<float>(sums[c]);
      d_weight.data_ptr<float>()[c] = static_cast<float>(products[c] * deviation);
      mean_dy.push_back(static_cast<float>(sums[c] / rows.values()));
      slope.push_back(static_cast<float>(products[c] / rows.values() * deviation * deviation));
    }
    write_gradient(from, given, values_in<T>(dx), rows.count, rows.width, lines.scale.data(), lines.shift.data(),
                   means.data(), rows.repeated(mean_dy).data(), rows.repeated(slope).data());
    return {dx, d_weight, d_bias, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor norm_relu(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                        torch::Tensor running_mean, torch::Tensor running_var) {
  const bool rounded = x.scalar_type() == torch::kBFloat16;
  PENSTOCK_CHECK(x.is_cpu() && (rounded || x.scalar_type() == torch::kFloat32) && x.dim() == 4 &&
                     x.is_contiguous(at::MemoryFormat::ChannelsLast),
                 "norm_relu takes [N, C, H, W] float32 or bfloat16, channels last, on the CPU");
  PENSTOCK_CHECK(weight.scalar_type() == torch::kFloat32, "a batch norm's weights are float32");
  PENSTOCK_CHECK(x.numel() / x.size(1) > 1, "a batch norm needs more than one value a channel");
  return rounded ? NormRelu<uint16_t>::apply(x, weight, bias, running_mean, running_var)
                 : NormRelu<float>::apply(x, weight, bias, running_mean, running_var);
}

}  // namespace penstock::stages
