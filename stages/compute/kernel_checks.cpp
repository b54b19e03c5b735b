#include "stages/compute/kernel_checks.h"

#include <cmath>
#include <cstring>

#include "distributed/error.h"
#include "stages/compute/step/batches.h"
#include "stages/compute/step/device_batch.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/step/training_step.h"
#include "stages/draws.h"
#include "stages/training/name_table.h"
#include "stages/training/optimisers.h"
#include "stages/training/targets.h"

namespace penstock::stages {
namespace {

[[noreturn]] void fail(const std::string& text) { throw Error(ExitCode::environment, text); }

// An array on the host, and its like on the device.
struct Twin {
  torch::Tensor host, device;
  Twin(torch::Tensor values, torch::Device place) : host(values.contiguous()), device(host.clone().to(place)) {}
  template <typename T>
  T* on(bool of_device) const {
    return static_cast<T*>((of_device ? device : host).data_ptr());
  }
  void compare(const std::string& what) const {
    const auto back = device.to(torch::kCPU);
    const auto bytes = [](const torch::Tensor& values) {
      return torch::from_blob(values.data_ptr(), {static_cast<int64_t>(values.nbytes())}, torch::kUInt8);
    };
    if (!torch::equal(bytes(host), bytes(back))) fail(what + " differs from the host's");
  }
};

torch::Tensor drawn(int64_t seed, std::vector<int64_t> shape) {
  auto values = torch::empty(shape);
  const Draws draws(seed, "device check");
  for (int64_t i = 0; i < values.numel(); ++i)
    values.data_ptr<float>()[i] = static_cast<float>(draws.normal(static_cast<uint64_t>(i)));
  return values;
}

torch::Tensor drawn_bytes(int64_t seed, std::vector<int64_t> shape, uint64_t below) {
  auto values = torch::empty(shape, torch::kUInt8);
  const Draws draws(seed, "device check");
  for (int64_t i = 0; i < values.numel(); ++i)
    values.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(draws.below(static_cast<uint64_t>(i), below));
  return values;
}

// A table of plain structs as bytes.
template <typename Row>
torch::Tensor bytes_of(const std::vector<Row>& rows) {
  auto bytes = torch::empty({static_cast<int64_t>(rows.size() * sizeof(Row))}, torch::kUInt8);
  std::memcpy(bytes.data_ptr<uint8_t>(), rows.data(), rows.size() * sizeof(Row));
  return bytes;
}

// Samples larger and smaller than the window, which lies inside, across an edge, or shows a sample several times.
std::string check_gather(StepDevice& device) {
  constexpr int side = 33, channels = 3, count = 16;
  const std::vector<SamplePlace> samples = {{0, 33, 33}, {33 * 33, 20, 70}, {33 * 33 + 20 * 70, 5, 9}};
  const int64_t pixels = samples.back().begin + 5 * 9;
  const TargetList targets =
      with_nearness(target_list({"mask", "border", "interior", "distance", "horizontal", "vertical"}), 5);
  std::vector<BatchRow> rows;
  const Draws draws(13, "device check");
  for (int i = 0; i < count; ++i) {
    const auto between = [&](int draw) { return static_cast<int32_t>(draws.below(i * 2 + draw, 80)) - 40; };
    rows.push_back({i * 2 % 3, i < 8 ? 0 : between(0), i < 8 ? 0 : between(1), side, side, i % 8});
  }
  for (const int64_t stride : {0, 256}) {
    for (const bool low : {false, true}) {
      const auto place = device.place();
      const Twin images(drawn_bytes(1, {pixels, channels}, 256), place),
          objects(drawn_bytes(2, {pixels}, 3).to(torch::kInt16), place), tables(drawn(3, {3 * channels * 256}), place),
          places(bytes_of(samples), place), chosen(bytes_of(rows), place);
      const Twin batch(torch::zeros({count, side, side, channels}, low ? torch::kBFloat16 : torch::kFloat32), place),
          truth(torch::zeros({count, targets.count, side, side}), place);
      const auto work = [&](bool d) {
        return GatherWork{images.on<uint8_t>(d),
                          objects.on<uint16_t>(d),
                          places.on<SamplePlace>(d),
                          tables.on<float>(d),
                          stride * channels,
                          stride,
                          chosen.on<BatchRow>(d),
                          count,
                          side,
                          side,
                          channels,
                          batch.on<void>(d),
                          targets,
                          truth.on<float>(d),
                          low};
      };
      device.run([&] { device.gather(work(true)); });
      device.wait("gather");
      host_gather(work(false));
      batch.compare("the batch's images");
      truth.compare("the batch's targets");
    }
  }
  return "8 orientations, windows across edges, 2 kinds of tables, 6 targets and nearness, float32 and bfloat16: equal "
         "to the bit";
}

// Every augmentation at once, as a step of the device gathers it and as the host's own step makes it, of samples with
// so many bits a value.
void compare_changed_rows(StepDevice& device, int bits) {
  constexpr int side = 40, channels = 3, count = 48;
  std::vector<GridSample> samples(3);
  for (int i = 0; i < 3; ++i) {
    GridSample& sample = samples[static_cast<size_t>(i)];
    sample.id = std::to_string(i), sample.height = 20 + 30 * i, sample.width = 90 - 20 * i;
    const int64_t pixels = int64_t{sample.height} * sample.width;
    const auto image = drawn_bytes(20 + i, {pixels * channels * bits / 8}, 256),
               objects = drawn_bytes(30 + i, {pixels}, 3);
    sample.image.assign(image.data_ptr<uint8_t>(), image.data_ptr<uint8_t>() + image.numel());
    sample.objects.assign(objects.data_ptr<uint8_t>(), objects.data_ptr<uint8_t>() + objects.numel());
    for (const uint16_t object : sample.objects) sample.mask.push_back(object != 0);
  }
  const CropRules rules{augmentation_of(names_of(augmentation_rules())), 17, 0};
  const StepSamples data(samples, {side, side, channels, bits}, make_normaliser("percentile", {}, channels));
  const TargetList targets =
      with_nearness(target_list({"mask", "border", "interior", "distance", "horizontal", "vertical"}, {2, 3, 5}), 3);
  Batch expected = make_batch(count, data.input(), targets);
  for (const bool low : {false, true}) {
    DeviceBatch batch(data.input(), targets, device, count, count, rules.augmentation);
    device.run([&] { batch.make(low); });
    const ResidentSamples& resident = batch.resident(data);
    std::vector<BatchRow> rows;
    for (int i = 0; i < count; ++i) {
      rows.push_back(data.drawn(i % static_cast<int>(data.crops().size()), rules, i));
      batch.list(i, rows.back(), data);
    }
    device.run([&] {
      batch.copy_orders();
      batch.gather(resident, 0);
    });
    device.wait("gather of changed rows");
    fill_batch(expected, data, rows);
    const auto images = low ? expected.images.to(torch::kBFloat16) : expected.images;
    if (!torch::equal(batch.images().to(torch::kCPU), images)) fail("the changed rows' images differ from the host's");
    if (!torch::equal(batch.targets().to(torch::kCPU), expected.targets))
      fail("the changed rows' targets differ from the host's");
  }
}

std::string check_changed_rows(StepDevice& device) {
  for (const int bits : {8, 16}) compare_changed_rows(device, bits);
  return "every augmentation at once, windows across edges, samples of 8 and 16 bits, float32 and bfloat16: equal to "
         "the bit";
}

std::string check_tally(StepDevice& device) {
  for (const auto& [images, side] : {std::pair(1, 1), std::pair(10, 10), std::pair(3, 1024)}) {
    const auto place = device.place();
    const int64_t count = int64_t{images} * side * side;
    std::vector<BatchRow> listed;
    for (int i = 0; i < images; ++i) listed.push_back({0, 0, 0, side - i * side / 20, side - i * side / 30, 0});
    constexpr int channels = 3, target_channels = 2;
    const Twin logits(drawn(4, {count * channels}), place),
        targets((drawn(5, {count * target_channels}) > 0.5).to(torch::kFloat32), place), rows(bytes_of(listed), place),
        counts(torch::zeros({4}, torch::kInt32), place);
    const Twin figures(torch::zeros({figure_count}), place),
        orders(torch::zeros({static_cast<int64_t>(sizeof(StepOrders))}, torch::kUInt8), place);
    const auto work = [&, images = images, side = side](bool d) {
      return TallyWork{logits.on<float>(d),
                       targets.on<float>(d),
                       channels,
                       target_channels,
                       rows.on<BatchRow>(d),
                       images,
                       side,
                       side,
                       counts.on<uint32_t>(d)};
    };
    device.run([&] {
      device.tally(work(true));
      device.figures({counts.on<uint32_t>(true), static_cast<double>(count), orders.on<StepOrders>(true),
                      figures.on<StepFigures>(true)});
    });
    device.wait("tally");
    host_tally(work(false));
    host_figures({counts.on<uint32_t>(false), static_cast<double>(count), orders.on<StepOrders>(false),
                  figures.on<StepFigures>(false)});
    counts.compare("the counts");
    figures.compare("the shares");
  }
  return "1 to 3 million pixels, all or some of a picture: equal";
}

// Norm, clipping and update of one step; the gradient has a NaN when `broken`.
void compare_update(StepDevice& device, const OptimiserRule& rule, double clip, bool low, bool broken) {
  constexpr int64_t count = 200'003, statistics = 96;
  const auto place = device.place();
  auto gradient = drawn(6, {count});
  if (broken) gradient.data_ptr<float>()[count / 2] = std::nanf("");
  StepOrders given;
  given.factors = factors_of(rule.kind, 1e-2, 0.01, 0.9, 7);
  given.average_share = average_share(0.999, 7);
  given.part_factors = factors_of(rule.kind, low ? 0 : 1e-3, 0.01, 0.9, 7), given.part = count / 3;
  const auto orders_bytes = torch::from_blob(&given, {static_cast<int64_t>(sizeof given)}, torch::kUInt8).clone();
  const Twin summed(gradient, place), weights(drawn(7, {count}), place), first(drawn(8, {count}), place),
      second(drawn(9, {count}).abs(), place), rounded(torch::zeros({count}, torch::kBFloat16), place);
  const Twin running(drawn(10, {statistics}), place), step_statistics(drawn(11, {statistics}), place),
      figures(drawn(12, {figure_count}), place), orders(orders_bytes, place);
  const Twin average(drawn(13, {count}), place), average_statistics(drawn(14, {statistics}), place);
  const Twin partials(torch::zeros({norm_width}, torch::kFloat64), place),
      verdict(torch::zeros({static_cast<int64_t>(sizeof(StepVerdict))}, torch::kUInt8), place);
  const auto judged = [&](bool d) {
    return JudgeWork{summed.on<float>(d),       count, figures.on<StepFigures>(d), clip, partials.on<double>(d),
                     verdict.on<StepVerdict>(d)};
  };
  const auto update = [&](bool d) {
    return UpdateWork{summed.on<float>(d),
                      weights.on<float>(d),
                      first.on<float>(d),
                      rule.moments > 1 ? second.on<float>(d) : nullptr,
                      low ? rounded.on<uint16_t>(d) : nullptr,
                      count,
                      orders.on<StepOrders>(d),
                      verdict.on<StepVerdict>(d),
                      step_statistics.on<float>(d),
                      running.on<float>(d),
                      statistics,
                      statistics_momentum,
                      low ? nullptr : average.on<float>(d),
                      low ? nullptr : average_statistics.on<float>(d)};
  };
  device.run([&] {
    device.judge(judged(true));
    device.update(update(true));
  });
  device.wait("update");
  host_judge(judged(false));
  host_update(update(false));
  if (!broken)
    verdict.compare("norm and clipping");
  else if (verdict.on<StepVerdict>(false)->good != 0)
    fail("a gradient with a NaN was taken for a finite one");
  for (const auto& [twin, name] :
       {std::pair(&weights, "the weights"), std::pair(&first, "the first moments"),
        std::pair(&second, "the second moments"), std::pair(&rounded, "the rounded weights"),
        std::pair(&running, "the running statistics"), std::pair(&average, "the averaged weights"),
        std::pair(&average_statistics, "the averaged statistics")}) {
    twin->compare(name);
  }
}

std::string check_update(StepDevice& device) {
  for (const OptimiserRule& rule : optimiser_rules()) {
    for (const double clip : {0.0, 1.0}) {
      for (const bool low : {false, true}) compare_update(device, rule, clip, low, false);
    }
  }
  compare_update(device, optimiser_rule("adamw"), 1, true, true);
  return "every optimizer, with and without clipping, rounding and averaging, and a gradient with a NaN: equal to the "
         "bit";
}

}  // namespace

const std::vector<std::pair<std::string, KernelCheck>>& kernel_checks() {
  static const std::vector<std::pair<std::string, KernelCheck>> checks = {{"kernel: gather", check_gather},
                                                                          {"kernels: augmentation", check_changed_rows},
                                                                          {"kernels: tally and figures", check_tally},
                                                                          {"kernels: norm and update", check_update}};
  return checks;
}

}  // namespace penstock::stages
