// The training step of a device, on the host as its reference device: the same mathematics as the host's own step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <c10/util/BFloat16.h>

#include <cmath>
#include <limits>
#include <mutex>

#include "distributed/local_communicator.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/small_training.h"
#include "stages/draws.h"
#include "stages/training/optimisers.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;

// Adam's first step is the gradient's sign, which rounding turns over.
TrainParameters plain() {
  TrainParameters parameters = tiny();
  parameters.optimizer = "sgd";
  return parameters;
}

Architecture network(const TrainParameters& parameters) { return architecture_of(parameters, 3); }

std::unique_ptr<DeviceStep> device_step(const TrainParameters& parameters, Communicator& ranks,
                                        StepOptions options = {Reproducible::run, true, true}) {
  return std::make_unique<DeviceStep>(parameters, network(parameters), grid, Normaliser{}, ranks, host_device(ranks, 1),
                                      options);
}

// Weights and statistics after some steps; `on_device` or by the host's own step.
std::vector<float> train(const TrainParameters& parameters, bool on_device, int ranks = 1, int steps = 2,
                         StepOptions options = {Reproducible::run, true, true}) {
  const auto samples = some_samples(12);
  std::vector<std::string> ids;
  for (const GridSample& sample : samples) ids.push_back(sample.id);
  std::vector<float> reached;
  std::mutex mutex;
  distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
    std::unique_ptr<TrainingStep> step;
    if (on_device)
      step = device_step(parameters, communicator, options);
    else
      step = std::make_unique<HostStep>(parameters, network(parameters), grid, Normaliser{}, communicator, 1,
                                        StepOptions{Reproducible::run, false});
    for (int i = 0; i < steps; ++i) step->step(samples, epoch_order(ids, parameters.seed, 0), 0, i, 1e-2, false);
    Weights weights = step->current_weights();
    weights.parameters.insert(weights.parameters.end(), weights.statistics.begin(), weights.statistics.end());
    const std::lock_guard lock(mutex);
    if (reached.empty()) reached = weights.parameters;
    EXPECT_EQ(reached, weights.parameters) << "rank " << communicator.rank();
  });
  return reached;
}

TEST(DeviceArithmetic, RoundsToBfloat16AsLibTorchDoes) {
  const Draws draws(1, "bfloat16");
  for (uint64_t i = 0; i < 100'000; ++i) {
    float value = 0;
    const auto bits = static_cast<uint32_t>(draws.bits(i));
    std::memcpy(&value, &bits, sizeof value);
    const c10::BFloat16 rounded(bfloat16_of(value), c10::BFloat16::from_bits());
    EXPECT_TRUE(std::isnan(value) ? std::isnan(static_cast<float>(rounded)) : rounded.x == c10::BFloat16(value).x)
        << value;
  }
}

// Whole samples, and windows of larger and smaller ones, turned in every way.
TEST(DeviceArithmetic, ABatchIsWhatTheHostsStepTrainsOn) {
  auto samples = some_samples(3);
  for (GridSample& sample : pictures(4, 50)) samples.push_back(std::move(sample));
  give_objects(samples);
  std::vector<const std::vector<uint8_t>*> images;
  for (const GridSample& sample : samples) images.push_back(&sample.image);
  constexpr int count = 40;
  const auto ranks = distributed::local_world(1);
  for (const char* kind : {"unit", "zscore", "percentile"}) {
    const StepSamples data(samples, grid, make_normaliser(kind, images, 3));
    const TargetList targets =
        with_nearness(target_list({"mask", "border", "interior", "distance", "horizontal", "vertical"}, {3, 1, 4}), 2);
    Batch expected = make_batch(count, grid, targets);
    std::vector<BatchRow> rows;
    for (int i = 0; i < count; ++i) {
      rows.push_back(data.drawn(i % static_cast<int>(data.crops().size()), {{true, true}, 7, 0.5}, i));
      rows.back().orientation = i % 8;
    }
    fill_batch(expected, data, rows);
    const auto device = host_device(*ranks[0], 1);
    const ResidentSamples resident = put_on_device(data, *device);
    auto made = torch::empty({count, side, side, 3}), truth = torch::empty({count, targets.count, side, side});
    host_gather({resident.images.data_ptr<uint8_t>(),
                 reinterpret_cast<const uint16_t*>(resident.objects.data_ptr<int16_t>()),
                 reinterpret_cast<const SamplePlace*>(resident.places.data_ptr<uint8_t>()),
                 resident.tables.data_ptr<float>(), resident.sample_stride, resident.channel_stride, rows.data(), count,
                 side, side, 3, made.data_ptr(), targets, truth.data_ptr<float>(), false});
    EXPECT_TRUE(torch::equal(made.permute({0, 3, 1, 2}), expected.images)) << kind;
    EXPECT_TRUE(torch::equal(truth, expected.targets)) << kind;
  }
}

TEST(DeviceArithmetic, AnUpdateIsTheOptimisersToTheBit) {
  constexpr size_t count = 150'000;
  const Draws draws(2, "update");
  for (const char* name : {"sgd", "adam", "adamw"}) {
    TrainParameters parameters;
    parameters.optimizer = name, parameters.weight_decay = 0.01, parameters.clip_norm = 2, parameters.ema = 0.2;
    Optimiser optimiser(parameters, count);
    WorkerPool pool(2);
    std::vector<float> gradient(count), expected(count);
    for (size_t i = 0; i < count; ++i)
      gradient[i] = static_cast<float>(draws.normal(i)), expected[i] = static_cast<float>(draws.normal(count + i));
    auto weights = expected, first = optimiser.first, second = optimiser.second;
    std::vector<float> average = expected, expected_average = expected;
    StepVerdict verdict;
    StepOrders orders;
    const StepFigures figures;
    std::vector<double> partials(norm_width);
    for (int64_t step = 1; step <= 3; ++step) {
      orders.part = step == 1 ? 0 : 100'000;
      const double part_lr = step == 2 ? 0 : 1e-4;
      optimiser.update(expected, gradient.data(), optimiser.norm_of(gradient.data(), pool),
                       {1e-3, static_cast<size_t>(orders.part), part_lr}, step, pool, &expected_average);
      host_judge({gradient.data(), count, &figures, parameters.clip_norm, partials.data(), &verdict});
      const OptimiserKind kind = optimiser_rule(name).kind;
      orders.factors = factors_of(kind, 1e-3, parameters.weight_decay, parameters.momentum, step);
      orders.part_factors = factors_of(kind, part_lr, parameters.weight_decay, parameters.momentum, step);
      orders.average_share = average_share(parameters.ema, step);
      host_update({gradient.data(), weights.data(), first.data(), second.data(), nullptr, count, &orders, &verdict,
                   nullptr, nullptr, 0, 0, average.data(), nullptr});
    }
    EXPECT_NEAR(verdict.norm, optimiser.norm_of(gradient.data(), pool), 1e-9);
    EXPECT_EQ(weights, expected) << name;
    EXPECT_EQ(first, optimiser.first) << name;
    EXPECT_EQ(second, optimiser.second) << name;
    EXPECT_EQ(average, expected_average) << name;
    EXPECT_NE(average, weights) << name;
  }
}

TEST(DeviceLayout, GivesBackWhatItTook) {
  const FlatLayout layout = layout_of(*make_network({3, 5, 2, "batch", 0}));
  const DeviceLayout device = device_layout_of(layout);
  std::vector<float> flat(static_cast<size_t>(layout.parameter_count));
  for (size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<float>(i + 1);
  EXPECT_EQ(device.to_host(layout, device.to_device(layout, flat)), flat);
  for (const auto& slot : device.parameters) EXPECT_EQ(slot.offset % 64, 0);
}

// The elements of the encoder and of the rest that differ from the start, after steps of the first epoch.
std::pair<size_t, size_t> moved(const TrainParameters& parameters, bool on_device) {
  const FlatLayout layout = layout_of(*make_network(network(parameters)));
  Weights start;
  initialise(layout, parameters.seed, start.parameters, start.statistics);
  const auto reached = train(parameters, on_device);
  const auto encoder = static_cast<size_t>(layout.parameters[encoder_parameters(layout)].offset);
  std::pair<size_t, size_t> counts{0, 0};
  for (size_t i = 0; i < start.parameters.size(); ++i)
    (i < encoder ? counts.first : counts.second) += reached[i] != start.parameters[i];
  return counts;
}

TEST(Freeze, KeepsTheWeightsOfTheEncoderOnEveryDevice) {
  for (const char* optimizer : {"sgd", "adamw"}) {
    TrainParameters parameters = tiny();
    parameters.optimizer = optimizer, parameters.weight_decay = 0.1, parameters.ema = 0.5;
    for (const bool on_device : {false, true}) {
      parameters.freeze = "encoder";
      const auto [encoder, rest] = moved(parameters, on_device);
      EXPECT_EQ(encoder, 0u) << optimizer << on_device;
      EXPECT_GT(rest, 0u) << optimizer << on_device;
      parameters.freeze = "none";
      EXPECT_GT(moved(parameters, on_device).first, 0u) << optimizer << on_device;
    }
  }
}

TEST(Freeze, HoldsForItsEpochsOnly) {
  const FlatLayout layout = layout_of(*make_network({3, 4, 2, "batch", 0}));
  TrainParameters parameters;
  const PartRate held = {encoder_parameters(layout), 0};
  EXPECT_EQ(encoder_rate(parameters, layout, 0), PartRate{});
  parameters.freeze = "encoder";
  EXPECT_EQ(encoder_rate(parameters, layout, 1000), held) << "0 epochs: all of them";
  parameters.freeze_epochs = 2;
  EXPECT_EQ(encoder_rate(parameters, layout, 1), held);
  EXPECT_EQ(encoder_rate(parameters, layout, 2), PartRate{});
  parameters.encoder_lr = 0.1;
  EXPECT_EQ(encoder_rate(parameters, layout, 1), held);
  EXPECT_EQ(encoder_rate(parameters, layout, 2), (PartRate{held.parameters, 0.1})) << "then at its own rate";
}

// The first update of Adam moves each weight by the learning rate.
TEST(PartRates, AnEncoderLearnsAtItsShareOfTheRate) {
  constexpr size_t count = 10;
  Optimiser optimiser(TrainParameters{}, count);
  WorkerPool pool(1);
  std::vector<float> weights(count);
  const std::vector<float> gradient(count, 2);
  optimiser.update(weights, gradient.data(), 1, {1e-2, 4, 1e-3}, 1, pool);
  for (size_t i = 0; i < count; ++i) EXPECT_NEAR(weights[i], i < 4 ? -1e-3 : -1e-2, 1e-7) << i;
}

TEST(Freeze, TheEncoderOfEveryNetworkComesFirst) {
  for (const NetworkRule& rule : network_rules()) {
    Architecture architecture{3, 4, 2, "batch", 0};
    architecture.kind = rule.name;
    const FlatLayout layout = layout_of(*make_network(architecture));
    const size_t count = encoder_parameters(layout);
    EXPECT_GT(count, 0u) << rule.name;
    EXPECT_TRUE(layout.parameters[count].name.starts_with("up")) << rule.name << ": " << layout.parameters[count].name;
  }
}

TEST(DeviceStep, IsTheHostsStepToRounding) {
  for (const char* norm : {"batch", "group", "none"}) {
    for (const char* loss : {"bce", "bce_dice", "focal", "tversky", "lovasz"}) {
      TrainParameters parameters = plain();
      parameters.norm = norm, parameters.loss = loss, parameters.clip_norm = 0.5;
      EXPECT_LT(distance(train(parameters, false), train(parameters, true)), 1e-5) << norm << " " << loss;
    }
  }
}

TEST(DeviceStep, LearnsSideOutputsAsTheHostDoes) {
  TrainParameters parameters = plain();
  parameters.deep_supervision = 1;
  EXPECT_LT(distance(train(parameters, false), train(parameters, true)), 1e-5);
}

TEST(DeviceStep, SumsOverRanksWhateverTheirShare) {
  const auto alone = train(plain(), true);
  for (const int ranks : {2, 3, 5})
    EXPECT_LT(distance(alone, train(plain(), true, ranks)), 1e-5) << ranks << " ranks, 4 micro-shards";
}

TEST(DeviceStep, OverlapChangesNoBit) {
  EXPECT_EQ(train(plain(), true, 3), train(plain(), true, 3, 2, {Reproducible::run, false, true}));
}

TEST(DeviceStep, WorldGivesTheSameBitsForAnyRankCount) {
  TrainParameters parameters = plain();
  parameters.optimizer = "adamw";
  const StepOptions world{Reproducible::world, true, true};
  const auto alone = train(parameters, true, 1, 3, world);
  for (const int ranks : {2, 3, 4}) EXPECT_EQ(train(parameters, true, ranks, 3, world), alone) << ranks;
}

TEST(DeviceStep, Bfloat16StaysNearFloat32AndKeepsFloat32Weights) {
  TrainParameters parameters = plain();
  const auto full = train(parameters, true, 1, 4);
  parameters.precision = "bf16";
  const auto low = train(parameters, true, 1, 4);
  EXPECT_LT(distance(full, low), 0.02);
  EXPECT_GT(distance(full, low), 0);
  size_t finer = 0;
  for (const float value : low) finer += static_cast<float>(c10::BFloat16(value)) != value;
  EXPECT_GT(finer, low.size() / 2);
}

TEST(DeviceStep, ContinuesFromItsStateAsIfUninterrupted) {
  for (const char* precision : {"fp32", "bf16"}) {
    TrainParameters parameters = plain();
    parameters.optimizer = "adamw", parameters.precision = precision, parameters.dropout = 0.1;
    parameters.ema = 0.9;
    const auto samples = some_samples(12);
    const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const auto ranks = distributed::local_world(1);
    const auto whole = device_step(parameters, *ranks[0]), begun = device_step(parameters, *ranks[0]),
               rest = device_step(parameters, *ranks[0]);
    for (int i = 0; i < 4; ++i) whole->step(samples, order, 0, i, 1e-2, false);
    for (int i = 0; i < 2; ++i) begun->step(samples, order, 0, i, 1e-2, false);
    rest->load(begun->state());
    for (int i = 2; i < 4; ++i) rest->step(samples, order, 0, i, 1e-2, false);
    EXPECT_EQ(rest->state().weights.parameters, whole->state().weights.parameters) << precision;
    EXPECT_EQ(rest->state().second, whole->state().second) << precision;
    EXPECT_EQ(rest->state().averaged.parameters, whole->state().averaged.parameters) << precision;
    EXPECT_EQ(rest->state().averaged.statistics, whole->state().averaged.statistics) << precision;
    EXPECT_EQ(rest->state().updates, 4);
  }
}

TEST(DeviceStep, AStepWithANaNIsNamedAndUpdatesNothing) {
  const auto samples = some_samples(8);
  const auto ranks = distributed::local_world(1);
  const auto step = device_step(plain(), *ranks[0]);
  StepState state = step->state();
  Weights broken = state.weights;
  broken.parameters.back() = std::numeric_limits<float>::quiet_NaN();  // the output's bias
  step->load_weights(broken);
  const StepResult result = step->step(samples, {0, 1, 2, 3, 4, 5, 6, 7}, 0, 0, 1e-2, false);
  EXPECT_THAT(result.fault, testing::HasSubstr("the gradient of "));
  EXPECT_EQ(step->state().updates, 0);
  EXPECT_EQ(step->state().first, state.first);
  step->load(state);
  EXPECT_EQ(step->step(samples, {0, 1, 2, 3, 4, 5, 6, 7}, 0, 0, 1e-2, false).fault, "");
}

TEST(DeviceStep, ARequestToStopReachesAllEvenFromARankWithoutSamples) {
  const auto samples = some_samples(8);
  distributed::run_local_ranks(5, [&](Communicator& communicator) {
    const auto step = device_step(plain(), communicator);
    EXPECT_FALSE(step->step(samples, {0, 1, 2, 3, 4, 5, 6, 7}, 0, 0, 1e-3, false).interrupted);
    EXPECT_TRUE(step->step(samples, {0, 1, 2, 3, 4, 5, 6, 7}, 0, 0, 1e-3, communicator.rank() == 4).interrupted);
  });
}

TEST(DeviceStep, ValidatesAsTheHostDoes) {
  const auto samples = some_samples(7);  // not a multiple of the micro-batch
  const auto ranks = distributed::local_world(1);
  HostStep host(plain(), network(plain()), grid, Normaliser{}, *ranks[0], 1, {});
  const Figures expected = host.validate(samples), found = device_step(plain(), *ranks[0])->validate(samples);
  EXPECT_NEAR(found.loss, expected.loss, 1e-5);
  EXPECT_NEAR(found.tp, expected.tp, 1e-3);
  EXPECT_NEAR(found.tp + found.fp + found.fn + found.tn, 1, 1e-9);
}

TEST(DeviceStep, AveragesAndMeasuresAsTheHostDoes) {
  const auto samples = some_samples(8);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto ranks = distributed::local_world(1);
  for (const char* precision : {"fp32", "bf16"}) {
    TrainParameters parameters = plain();
    parameters.ema = 0.9;
    HostStep host(parameters, network(parameters), grid, Normaliser{}, *ranks[0], 1, {});
    parameters.precision = precision;
    const auto device = device_step(parameters, *ranks[0]);
    const double near = std::string(precision) == "bf16" ? 0.02 : 1e-5;
    for (int i = 0; i < 4; ++i)
      host.step(samples, order, 0, i, 1e-2, false), device->step(samples, order, 0, i, 1e-2, false);
    EXPECT_LT(distance(host.state().averaged.parameters, device->state().averaged.parameters), near) << precision;
    EXPECT_LT(distance(host.state().averaged.statistics, device->state().averaged.statistics), near) << precision;
    const Weights before = device->current_weights();
    const Figures measured = device->validate(samples);
    EXPECT_NEAR(measured.loss, host.validate(samples).loss, near) << precision;
    EXPECT_EQ(device->current_weights().parameters, before.parameters) << precision;
    const auto other = device_step(parameters, *ranks[0]);
    other->load_weights(device->measured_weights());
    EXPECT_EQ(other->validate(samples).loss, measured.loss) << precision << ": of the averaged weights";
    other->load(device->state());
    device->step(samples, order, 0, 4, 1e-2, false), other->step(samples, order, 0, 4, 1e-2, false);
    EXPECT_EQ(device->state().weights.parameters, other->state().weights.parameters)
        << precision << ": what a step trains on, after validation, are its own weights";
  }
}

TEST(DeviceStep, ValidatesTilesAsTheHostDoes) {
  const auto samples = pictures(5, 40);
  const auto ranks = distributed::local_world(1);
  HostStep host(plain(), network(plain()), grid, Normaliser{}, *ranks[0], 1, {});
  const Figures expected = host.validate(samples), found = device_step(plain(), *ranks[0])->validate(samples);
  EXPECT_NEAR(found.loss, expected.loss, 1e-5);
  EXPECT_NEAR(found.tp, expected.tp, 1e-3);
  EXPECT_NEAR(found.tp + found.fp + found.fn + found.tn, 1, 1e-9);
}

TEST(DeviceStep, RefusesSynchronisedNormsWithWhatToTakeInstead) {
  TrainParameters parameters = plain();
  parameters.norm = "sync";
  const auto ranks = distributed::local_world(1);
  try {
    device_step(parameters, *ranks[0]);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::config);
    EXPECT_THAT(error.what(), testing::HasSubstr("\"group\""));
  }
}

}  // namespace
}  // namespace penstock::stages
