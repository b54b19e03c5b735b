#include "stages/compute/device_checks.h"

#include <fmt/format.h>

#include <cmath>

#include "distributed/error.h"
#include "stages/compute/device_measurements.h"
#include "stages/compute/disc_samples.h"
#include "stages/compute/kernel_checks.h"
#include "stages/compute/step/batches.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/training/checkpoint.h"
#include "stages/cuda_library.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

[[noreturn]] void fail(const std::string& text) { throw Error(ExitCode::environment, text); }

// ---- training ----

constexpr int side = 32, steps = 20;
const InputShape grid{side, side, 3};

TrainParameters usual() {
  TrainParameters parameters;
  parameters.base_channels = 8;
  parameters.depth = 2;
  parameters.global_batch = 16;
  parameters.micro_batch = 4;
  parameters.optimizer = "sgd";  // Adam's first steps are the gradient's sign, which rounding turns over
  parameters.seed = 3;
  return parameters;
}

struct Trained {
  std::vector<double> losses;
  StepState state;
  Figures validation;
  bool replayed = false;
};

// From `from` on, or from the beginning.
Trained train(Communicator& ranks, const MakeDevice& make, const TrainParameters& parameters, StepOptions options,
              int begin = 0, int end = steps, const StepState* from = nullptr) {
  const auto samples = disc_samples(24, side);
  std::vector<std::string> ids;
  for (const GridSample& sample : samples) ids.push_back(sample.id);
  options.reproducible = distributed::Reproducible::run;
  DeviceStep step(parameters, architecture_of(parameters, 3), grid, Normaliser{}, ranks, make(ranks), options);
  if (from != nullptr) step.load(*from);
  Trained trained;
  for (int i = begin; i < end; ++i) {
    const StepResult result = step.step(samples, epoch_order(ids, parameters.seed, i), i, 0, 0.05, false);
    if (!result.fault.empty()) fail(fmt::format("step {}: {} is NaN or infinite", i + 1, result.fault));
    trained.losses.push_back(result.figures.loss);
  }
  trained.validation = step.validate(samples);
  trained.state = step.state();
  trained.replayed = step.replays();
  return trained;
}

std::string digest(const StepState& state) {
  return digest_of_weights(state.weights.parameters, state.weights.statistics).hex().substr(0, 12);
}

bool equal(const StepState& a, const StepState& b) {
  return a.weights.parameters == b.weights.parameters && a.weights.statistics == b.weights.statistics &&
         a.first == b.first && a.second == b.second && a.updates == b.updates;
}

void require_equal(const Trained& a, const Trained& b, const std::string& what) {
  if (!equal(a.state, b.state))
    fail(fmt::format("{}: weights after {} steps differ: {} and {}", what, steps, digest(a.state), digest(b.state)));
}

// The largest difference of two runs' losses, relative to the first loss.
double difference_of(const Trained& a, const Trained& b) {
  double largest = std::abs(a.validation.loss - b.validation.loss);
  for (size_t i = 0; i < a.losses.size(); ++i) largest = std::max(largest, std::abs(a.losses[i] - b.losses[i]));
  return largest / a.losses.front();
}

std::string require_near(const Trained& a, const Trained& b, double bound) {
  const double difference = difference_of(a, b);
  const std::string text =
      fmt::format("losses of {} steps and of validation differ by {:.1e} of the first at most", steps, difference);
  if (!(difference < bound)) fail(fmt::format("{}; up to {:.0e} is rounding", text, bound));
  return text;
}

std::string check_learning(const Trained& trained) {
  const std::string text =
      fmt::format("loss {:.4f} -> {:.4f} in {} steps", trained.losses.front(), trained.losses.back(), steps);
  if (!(trained.losses.back() < 0.8 * trained.losses.front())) fail(text + ": it does not learn");
  return text;
}

std::string check_sum(Communicator& ranks, const MakeDevice& make) {
  const auto device = make(ranks);
  constexpr int64_t count = 1'000'003;
  torch::Tensor values;
  device->run([&] {
    values = torch::full({count}, static_cast<float>(ranks.rank() + 1),
                         torch::dtype(torch::kFloat32).device(device->place()));
    device->all_reduce(values.data_ptr<float>(), count, "doctor's sum");
    device->join();
  });
  device->wait("doctor's sum");
  ranks.barrier("doctor's sum is everywhere");  // before the first one closes the device
  const auto expected = static_cast<float>(ranks.size() * (ranks.size() + 1) / 2);
  if (!torch::all(values.to(torch::kCPU) == expected).item<bool>())
    fail(fmt::format("a sum over {} ranks is not what it must be", ranks.size()));
  return fmt::format("{} ranks, 4 MB: right", ranks.size());
}

std::string check_agreement(Communicator& ranks, const Trained& trained) {
  uint64_t mine = digest_of_weights(trained.state.weights.parameters, trained.state.weights.statistics).leading_bits();
  std::vector<uint64_t> all(ranks.size());
  ranks.all_gather(distributed::buffer_of(&mine, 1), distributed::buffer_of(all.data(), all.size()),
                   "doctor compares weights");
  for (const uint64_t one : all) {
    if (one != all.front()) fail("ranks end with different weights");
  }
  return fmt::format("{} ranks hold the same weights after {} steps", ranks.size(), steps);
}

// What the checks of training share: the plain run that others are compared with.
struct Comparisons {
  Communicator& ranks;
  const MakeDevice& make;
  std::optional<Trained> plain = {};
  const StepOptions eager = {{}, true, false}, graph = {{}, true, true};

  std::string learns() {
    plain = train(ranks, make, usual(), eager);
    return check_learning(*plain);
  }
  std::string near_host() {
    const MakeDevice reference = [](Communicator& among) { return host_device(among, 1); };
    return require_near(*plain, train(ranks, reference, usual(), eager), 1e-3);
  }
  std::string repeats() {
    require_equal(*plain, train(ranks, make, usual(), eager), "two equal runs");
    return "the same bits";
  }
  std::string records() {
    const Trained recorded = train(ranks, make, usual(), graph);
    require_equal(*plain, recorded, "eager and graph");
    return recorded.replayed ? "replayed steps give the eager steps' bits" : nothing_recorded;
  }
  std::string all_options() {
    TrainParameters parameters = usual();
    parameters.dropout = 0.2, parameters.clip_norm = 0.1, parameters.optimizer = "adamw", parameters.loss = "bce_dice",
    parameters.norm = "group";
    const Trained recorded = train(ranks, make, parameters, graph);
    require_equal(train(ranks, make, parameters, eager), recorded, "eager and graph");
    return recorded.replayed ? "the same bits with and without a graph" : nothing_recorded;
  }
  std::string overlaps() {
    if (ranks.size() == 1) return one_rank;
    require_equal(*plain, train(ranks, make, usual(), {{}, false, false}), "with and without overlap");
    return "the same bits with and without";
  }
  std::string resumes() {
    const Trained half = train(ranks, make, usual(), graph, 0, steps / 2),
                  rest = train(ranks, make, usual(), graph, steps / 2, steps, &half.state);
    if (!equal(plain->state, rest.state)) fail("weights of an unbroken and a resumed run differ");
    return "the unbroken run's bits";
  }
  std::string low_precision() {
    TrainParameters parameters = usual();
    parameters.precision = "bf16";
    return require_near(*plain, train(ranks, make, parameters, graph), 5e-2);
  }
  std::string sums() { return ranks.size() == 1 ? one_rank : check_sum(ranks, make); }
  std::string agrees() { return ranks.size() == 1 ? one_rank : check_agreement(ranks, *plain); }

  // A check returns one of these texts where there is nothing to check.
  static constexpr const char* nothing_recorded = "this device records nothing";
  static constexpr const char* one_rank = "needs several ranks: mpirun -np N, one GPU each";
};

using Check = std::string (Comparisons::*)();
const std::vector<std::pair<std::string, Check>>& training_checks() {
  static const std::vector<std::pair<std::string, Check>> checks = {
      {"sum over ranks", &Comparisons::sums},
      {"training, eager", &Comparisons::learns},
      {"training against the host", &Comparisons::near_host},
      {"the same again", &Comparisons::repeats},
      {"training, recorded graph", &Comparisons::records},
      {"dropout, clipping, AdamW", &Comparisons::all_options},
      {"overlap", &Comparisons::overlaps},
      {"resuming from a checkpoint", &Comparisons::resumes},
      {"bfloat16 against float32", &Comparisons::low_precision},
      {"agreement of ranks", &Comparisons::agrees}};
  return checks;
}

}  // namespace

const std::vector<std::string>& device_check_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, check] : kernel_checks()) all.push_back(name);
    for (const auto& [name, check] : training_checks()) all.push_back(name);
    return all;
  }();
  return names;
}

std::vector<Finding> check_device(Communicator& ranks, const MakeDevice& make) {
  std::vector<Finding> findings;
  {
    const auto device = make(ranks);
    for (const auto& [name, check] : kernel_checks())
      findings.push_back(found(name, [&, check = check] { return check(*device); }));
  }
  Comparisons comparisons{ranks, make};
  for (const auto& [name, check] : training_checks()) {
    // Without the plain run the others would fail for the same reason.
    if (!comparisons.plain && check != &Comparisons::sums && check != &Comparisons::learns) {
      findings.push_back({Finding::State::not_run, name, "training failed"});
      continue;
    }
    Finding finding = found(name, [&, check = check] { return (comparisons.*check)(); });
    if (finding.text == Comparisons::nothing_recorded || finding.text == Comparisons::one_rank)
      finding.state = Finding::State::not_run;
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<Finding> check_gpus(Communicator& ranks, bool any) {
  std::vector<Finding> findings;
  if (!any) {
    for (const std::string& name : device_check_names())
      findings.push_back({Finding::State::not_run, name, "needs a GPU"});
    for (const char* name : {"speed", "memory"}) findings.push_back({Finding::State::not_run, name, "needs a GPU"});
    return findings;
  }
  const MakeDevice make = [](Communicator& among) { return cuda_library().open_device(among); };
  findings = check_device(ranks, make);
  for (Finding& finding : measure_device(ranks, make)) findings.push_back(std::move(finding));
  findings.push_back(measure_memory(make));
  return findings;
}

}  // namespace penstock::stages
