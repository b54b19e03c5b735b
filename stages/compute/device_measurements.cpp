#include "stages/compute/device_measurements.h"

#include <fmt/format.h>

#include <chrono>

#include "stages/compute/disc_samples.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/training/device_memory.h"
#include "stages/compute/training/micro_batch.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

double images_per_second(Communicator& ranks, const MakeDevice& make, const char* precision, bool graph) {
  constexpr int micro = 64, warm_up = 10, timed = 50;
  TrainParameters parameters;
  parameters.precision = precision;
  parameters.micro_batch = micro;
  parameters.global_batch = micro * ranks.size();
  const InputShape large{128, 128, 3};
  const auto samples = disc_samples(micro, 128);
  std::vector<int> order;
  for (int i = 0; i < micro; ++i) order.push_back(i);
  DeviceStep step(parameters, {3, 16, 4, "batch", 0}, large, Normaliser{}, ranks, make(ranks),
                  {distributed::Reproducible::run, true, graph});
  for (int i = 0; i < warm_up; ++i) step.step(samples, order, i, 0, 1e-3, false);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < timed; ++i) step.step(samples, order, i, 0, 1e-3, false);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ranks.barrier("the measured steps are over");  // before the first one closes the device
  return timed * static_cast<double>(parameters.global_batch) / seconds;
}

// What micro_batch = "auto" does, by itself on each rank: the largest that fits, and that running out of memory is not
// fatal.
std::string largest_micro_batch(const MakeDevice& make) {
  TrainParameters parameters;
  parameters.precision = "bf16";
  const auto samples = disc_samples(4, 128);
  const Architecture architecture{3, 16, 4, "batch", 0};
  const TrainingShape shape{parameters, architecture, {128, 128, 3}, Normaliser{}, samples};
  int too_large = 0;
  const auto found = largest_fitting({64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}, [&](int64_t micro) {
    const bool enough = fits(shape, micro, make);
    too_large += !enough;
    return enough;
  });
  if (!found) throw Error(ExitCode::environment, "not even 64 samples of 128 x 128 fit");
  return fmt::format("base 16, 128 x 128, bf16: {} samples fit{}", *found,
                     too_large > 0 ? ", twice as many do not" : "");
}

}  // namespace

std::vector<Finding> measure_device(Communicator& ranks, const MakeDevice& make) {
  std::vector<Finding> findings;
  for (const char* precision : {"fp32", "bf16"}) {
    for (const bool graph : {false, true}) {
      findings.push_back(found(fmt::format("speed: {}, {}", precision, graph ? "graph" : "eager"), [&] {
        return fmt::format("{:.0f} images/s", images_per_second(ranks, make, precision, graph));
      }));
    }
  }
  return findings;
}

Finding measure_memory(const MakeDevice& make) {
  return found("memory", [&] { return largest_micro_batch(make); });
}

}  // namespace penstock::stages
