// The network, its batches and the training step, with threads as ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <dlfcn.h>

#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "distributed/local_communicator.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/compute/model/up_layer.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/small_training.h"
#include "stages/compute/training/checkpoint.h"
#include "stages/compute/training/training_checkpoints.h"
#include "stages/draws.h"
#include "stages/training/upsamplings.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using distributed::Reproducible;

// Weights and running statistics after a few steps, which every rank must hold alike.
std::vector<float> train(const TrainParameters& parameters, int ranks, int threads, Reproducible mode, int steps = 3,
                         bool overlap = false) {
  auto samples = some_samples(12);
  give_objects(samples);
  std::vector<std::string> ids;
  for (const GridSample& sample : samples) ids.push_back(sample.id);
  std::vector<float> weights;
  std::mutex mutex;
  distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
    HostStep state(parameters, architecture_of(parameters, 3), grid, Normaliser{}, communicator, threads,
                   {mode, overlap});
    for (int step = 0; step < steps; ++step)
      state.step(samples, epoch_order(ids, parameters.seed, 0), 0, step, 1e-2, false);
    const std::lock_guard lock(mutex);
    const Weights reached = state.current_weights();
    std::vector<float> mine = reached.parameters;
    mine.insert(mine.end(), reached.statistics.begin(), reached.statistics.end());
    if (weights.empty()) weights = mine;
    EXPECT_EQ(weights, mine) << "rank " << communicator.rank();
  });
  return weights;
}

TEST(TrainingStep, LearnsSeveralTargetsWithTheSameBitsOnAnyNumberOfRanks) {
  TrainParameters parameters = tiny();
  parameters.targets = {"mask", "border"};
  parameters.loss = "bce_dice";
  const auto alone = train(parameters, 1, 1, Reproducible::world);
  for (const int ranks : {2, 3, 7}) EXPECT_EQ(train(parameters, ranks, 2, Reproducible::world), alone) << ranks;
  EXPECT_EQ(alone.size(), train(tiny(), 1, 1, Reproducible::world).size() + 4 + 1) << "weights of one more output";
}

TEST(TrainingStep, LearnsSideOutputsWithTheSameBitsOnAnyNumberOfRanks) {
  TrainParameters parameters = tiny();
  parameters.targets = {"mask", "border"}, parameters.deep_supervision = 1;
  for (const char* kind : {"unet", "unet++"}) {
    parameters.network = kind;
    const auto alone = train(parameters, 1, 1, Reproducible::world);
    for (const int ranks : {2, 3}) EXPECT_EQ(train(parameters, ranks, 2, Reproducible::world), alone) << kind << ranks;
  }
}

TEST(UNet, GivesSideOutputsInTrainingOnlyAtFullSize) {
  for (const char* kind : {"unet", "unet++"}) {
    Architecture architecture{3, 4, 3, "none", 0};
    architecture.kind = kind, architecture.out_channels = 2, architecture.side_outputs = 2;
    const auto network = make_network(architecture);
    const auto x = torch::rand({2, 3, 16, 24});
    const auto all = (*network)(x);
    EXPECT_EQ(all.sizes(), (std::vector<int64_t>{2, 6, 16, 24})) << kind;
    network->eval();
    EXPECT_TRUE(torch::equal((*network)(x), all.narrow(1, 0, 2))) << kind;
    all.narrow(1, 4, 2).sum().backward();
    const auto slope = [&](const char* name) {
      return network->named_parameters()[name].grad().abs().sum().item<float>();
    };
    EXPECT_EQ(slope("output.weight"), 0) << kind;
    EXPECT_GT(slope("side2.weight"), 0) << kind;
    EXPECT_GT(slope("down0_conv1.weight"), 0) << kind;
  }
}

TEST(UNet, ItsLayerTableCountsTheWeightsItHas) {
  for (const char* norm : {"batch", "group", "none"}) {
    for (const NetworkRule& rule : network_rules()) {
      Architecture architecture{3, 8, 3, norm, 0};
      architecture.kind = rule.name, architecture.out_channels = 2;
      architecture.side_outputs = norm == std::string("batch") ? 2 : 0;
      for (const UpsamplingRule& up : upsampling_rules()) {
        architecture.upsampling = up.name;
        const FlatLayout layout = layout_of(*make_network(architecture));
        std::vector<size_t> slots;
        for (const auto& slot : layout.parameters) slots.push_back(static_cast<size_t>(slot.count));
        const auto layers = layers_of(architecture, 64, 64);
        EXPECT_EQ(parameter_slots(layers), slots) << rule.name << " with " << norm << ", " << up.name;
        EXPECT_EQ(statistic_count(layers), layout.statistic_count) << rule.name << " with " << norm << ", " << up.name;
      }
    }
  }
}

TEST(UNet, DoublesAsBilinearInterpolationDoes) {
  const auto x = torch::rand({2, 3, 5, 1}).set_requires_grad(true), same = x.detach().clone().set_requires_grad(true);
  const auto weights = torch::rand({2, 3, 10, 2});
  const auto made = doubled(x);
  const auto expected = torch::upsample_bilinear2d(same, {10, 2}, /*align_corners=*/false);
  EXPECT_TRUE(torch::allclose(made, expected, 0, 1e-6));
  (made * weights).sum().backward(), (expected * weights).sum().backward();
  EXPECT_TRUE(torch::allclose(x.grad(), same.grad(), 0, 1e-6));
}

// Of one level there is nothing to nest: the same layers with the same weights.
TEST(UNet, NestedWithOneLevelIsThePlainOne) {
  Architecture architecture{3, 4, 1, "batch", 0};
  const auto plain = make_network(architecture);
  architecture.kind = "unet++";
  const auto nested = make_network(architecture);
  const torch::NoGradGuard no_gradients;
  auto from = plain->parameters(), to = nested->parameters();
  ASSERT_EQ(from.size(), to.size());
  for (size_t i = 0; i < from.size(); ++i) to[i].copy_(from[i]);
  const auto image = torch::rand({2, 3, 16, 16});
  EXPECT_TRUE(torch::equal((*plain)(image), (*nested)(image)));
}

TEST(UNet, NestedJoinsAllNodesOfALevel) {
  Architecture architecture{3, 4, 3, "batch", 0};
  architecture.kind = "unet++";
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& slot : layout_of(*make_network(architecture)).parameters) shapes[slot.name] = slot.shape;
  EXPECT_EQ(shapes.at("joined0_1_conv1.weight"), (std::vector<int64_t>{4, 8, 3, 3}))
      << "the encoder's and what comes up";
  EXPECT_EQ(shapes.at("joined0_3_conv1.weight"), (std::vector<int64_t>{4, 16, 3, 3}))
      << "three nodes and what comes up";
  EXPECT_EQ(shapes.at("joined2_1_conv1.weight"), (std::vector<int64_t>{16, 32, 3, 3}));
  EXPECT_FALSE(shapes.contains("joined2_2_conv1.weight"));
}

TEST(UNet, KeepsTheSizeOfItsInput) {
  Architecture architecture{1, 4, 2, "batch", 0};
  architecture.out_channels = 3;
  const auto network = make_network(architecture);
  EXPECT_EQ((*network)(torch::zeros({2, 1, 24, 40})).sizes(), (std::vector<int64_t>{2, 3, 24, 40}));
}

// Shapes whose order in memory is not one but several: a channel, a pixel.
TEST(UNet, TrainsOnGreyImagesWithOneChannelDownToOnePixel) {
  for (const int64_t base : {1, 2}) {
    const auto network = make_network({1, base, 3, "batch", 0});
    network->train();
    const auto logits = (*network)(torch::rand({2, 1, 8, 8}));
    logits.sum().backward();
    for (const auto& parameter : network->parameters()) EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>());
  }
}

TEST(UNet, InitialWeightsHaveHesVariance) {
  const FlatLayout layout = layout_of(*make_network({3, 32, 2, "batch", 0}));
  std::vector<float> parameters, statistics;
  initialise(layout, 1, parameters, statistics);
  for (const auto& slot : layout.parameters) {
    if (slot.name != "bottom_conv2.weight") continue;
    double squares = 0;
    for (int64_t i = 0; i < slot.count; ++i)
      squares += double{parameters[slot.offset + i]} * parameters[slot.offset + i];
    EXPECT_NEAR(squares / static_cast<double>(slot.count) * static_cast<double>(slot.shape[1] * 9) / 2, 1, 0.02);
  }
}

TEST(TrainingStep, WorldGivesTheSameBitsForAnyRanksAndThreads) {
  const auto expected = train(tiny(), 1, 1, Reproducible::world);
  for (const auto& [ranks, threads] :
       {std::pair(1, 2), std::pair(2, 1), std::pair(3, 1), std::pair(4, 1), std::pair(6, 1)}) {
    EXPECT_EQ(train(tiny(), ranks, threads, Reproducible::world), expected)
        << ranks << " ranks, " << threads << " threads";
  }
}

TEST(TrainingStep, OverlapChangesNoBit) {
  for (const auto mode : {Reproducible::run, Reproducible::world}) {
    for (const int ranks : {2, 3})
      EXPECT_EQ(train(tiny(), ranks, 2, mode, 3, true), train(tiny(), ranks, 2, mode, 3, false)) << ranks;
  }
}

TEST(TrainingStep, AClippedStepIsAsLongAsTheLearningRateTimesTheNorm) {
  TrainParameters parameters = tiny();
  parameters.optimizer = "sgd";
  parameters.norm = "none";  // no running statistics among the values
  parameters.clip_norm = 1e-3;
  const auto before = train(parameters, 1, 1, Reproducible::world, 0),
             after = train(parameters, 2, 2, Reproducible::world, 1);
  double squares = 0;
  for (size_t i = 0; i < after.size(); ++i) squares += std::pow(double{after[i]} - before[i], 2);
  EXPECT_NEAR(std::sqrt(squares), 1e-2 * 1e-3, 1e-7);
}

TEST(TrainingStep, EveryOptimizerGivesTheSameBitsForAnyRanks) {
  for (const char* optimizer : {"sgd", "adam", "adamw"}) {
    TrainParameters parameters = tiny();
    parameters.optimizer = optimizer;
    parameters.weight_decay = 0.01;
    EXPECT_EQ(train(parameters, 1, 2, Reproducible::world), train(parameters, 3, 1, Reproducible::world)) << optimizer;
  }
}

TEST(TrainingStep, DropoutAndEveryLossKeepThatPromise) {
  TrainParameters parameters = tiny();
  parameters.dropout = 0.2;
  parameters.norm = "group";
  for (const NamedLoss& loss : losses()) {
    parameters.loss = loss.name;
    EXPECT_EQ(train(parameters, 1, 2, Reproducible::world), train(parameters, 3, 1, Reproducible::world)) << loss.name;
  }
}

// A step of four micro-shards that keeps an average, at some ranks and threads.
StepState averaged_after(const TrainParameters& parameters, int ranks, int threads, int steps) {
  const auto samples = some_samples(12);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  StepState reached;
  distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
    HostStep state(parameters, architecture_of(parameters, 3), grid, Normaliser{}, communicator, threads, {});
    for (int step = 0; step < steps; ++step) state.step(samples, order, 0, step, 1e-2, false);
    if (communicator.rank() == 0) reached = state.state();
  });
  return reached;
}

TEST(AveragedWeights, FollowTheWeightsByTheirFormulaAtAnyRankAndThreadCount) {
  TrainParameters parameters = tiny();
  parameters.ema = 0.3;
  StepState own = averaged_after(parameters, 1, 1, 0);
  for (int step = 1; step <= 6; ++step) {
    const StepState now = averaged_after(parameters, 1 + step % 3, 1 + step % 2, step);
    const double d = std::min(0.3, (1.0 + step) / (10.0 + step));  // 2/11, 3/12, 4/13, then 0.3
    const auto follow = [&](const std::vector<float>& values, std::vector<float>& average) {
      for (size_t i = 0; i < values.size(); ++i) average[i] += static_cast<float>(1 - d) * (values[i] - average[i]);
    };
    follow(now.weights.parameters, own.averaged.parameters);
    follow(now.weights.statistics, own.averaged.statistics);
    EXPECT_EQ(now.averaged.parameters, own.averaged.parameters) << "step " << step;
    EXPECT_EQ(now.averaged.statistics, own.averaged.statistics) << "step " << step;
  }
  EXPECT_NE(own.averaged.statistics, averaged_after(parameters, 1, 1, 6).weights.statistics);
}

TEST(AveragedWeights, ChangeNoStep) {
  TrainParameters parameters = tiny();
  const auto without = averaged_after(parameters, 2, 1, 4);
  parameters.ema = 0.99;
  const auto with = averaged_after(parameters, 2, 1, 4);
  EXPECT_EQ(with.weights.parameters, without.weights.parameters);
  EXPECT_EQ(with.second, without.second);
  EXPECT_TRUE(without.averaged.parameters.empty());
}

TEST(AveragedWeights, AreWhatIsMeasuredAndPublished) {
  const auto samples = some_samples(7);
  const auto ranks = distributed::local_world(1);
  TrainParameters parameters = tiny();
  parameters.ema = 0.9;
  HostStep step(parameters, architecture_of(parameters, 3), grid, Normaliser{}, *ranks[0], 2, {});
  for (int i = 0; i < 4; ++i) step.step(samples, {0, 1, 2, 3, 4, 5, 6}, 0, i, 1e-2, false);
  const Weights before = step.current_weights();
  const Figures measured = step.validate(samples);
  EXPECT_EQ(step.current_weights().parameters, before.parameters) << "measuring leaves the steps' weights alone";
  EXPECT_EQ(step.current_weights().statistics, before.statistics);
  EXPECT_NE(step.measured_weights().parameters, before.parameters);
  HostStep plain(tiny(), architecture_of(parameters, 3), grid, Normaliser{}, *ranks[0], 1, {});
  plain.load_weights(step.measured_weights());
  EXPECT_EQ(plain.validate(samples).loss, measured.loss);
  plain.load_weights(before);
  EXPECT_NE(plain.validate(samples).loss, measured.loss);
}

TEST(AveragedWeights, GoOnFromAStateAsIfUninterrupted) {
  const auto samples = some_samples(8);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto ranks = distributed::local_world(1);
  TrainParameters parameters = tiny();
  parameters.ema = 0.9;
  const auto make = [&] {
    return std::make_unique<HostStep>(parameters, architecture_of(parameters, 3), grid, Normaliser{}, *ranks[0], 1,
                                      StepOptions{});
  };
  const auto whole = make(), rest = make();
  for (int i = 0; i < 3; ++i) whole->step(samples, order, 0, i, 1e-2, false);
  rest->load(whole->state());
  whole->step(samples, order, 0, 3, 1e-2, false);
  rest->step(samples, order, 0, 3, 1e-2, false);
  EXPECT_EQ(rest->state().averaged.parameters, whole->state().averaged.parameters);
  EXPECT_EQ(rest->state().averaged.statistics, whole->state().averaged.statistics);
}

// ---- precision = "bf16" ----

TrainParameters rounding(const char* norm = "batch") {
  TrainParameters parameters = tiny();
  parameters.precision = "bf16", parameters.norm = norm;
  return parameters;
}

TEST(Bfloat16, GivesTheSameBitsForAnyRanksAndThreads) {
  for (const char* norm : {"batch", "group", "none"}) {
    TrainParameters parameters = rounding(norm);
    parameters.targets = {"mask", "border"}, parameters.dropout = 0.1;
    const auto alone = train(parameters, 1, 1, Reproducible::world);
    EXPECT_EQ(train(parameters, 1, 3, Reproducible::world), alone) << norm;
    for (const int ranks : {2, 3, 7})
      EXPECT_EQ(train(parameters, ranks, 1 + ranks % 2, Reproducible::world, 3, true), alone) << norm << ranks;
  }
}

TEST(Bfloat16, StaysNearFloat32AndKeepsFloat32Weights) {
  for (const NetworkRule& network : network_rules()) {
    TrainParameters full = tiny(), low = rounding();
    full.optimizer = low.optimizer = "sgd";  // Adam's first step is the gradient's sign
    full.network = low.network = network.name;
    const auto exact = train(full, 1, 1, Reproducible::world), near = train(low, 1, 1, Reproducible::world);
    EXPECT_LT(distance(exact, near), 0.02) << network.name;
    EXPECT_GT(distance(exact, near), 0) << network.name;
    size_t finer = 0;
    for (const float value : near) finer += static_cast<float>(c10::BFloat16(value)) != value;
    EXPECT_GT(finer, near.size() / 2) << network.name;
  }
}

TEST(Bfloat16, SynchronisedNormsDoNotDependOnTheRankCount) {
  TrainParameters parameters = rounding("sync");
  parameters.optimizer = "sgd";
  const auto alone = train(parameters, 1, 2, Reproducible::run);
  for (const int ranks : {2, 4})
    EXPECT_LT(distance(alone, train(parameters, ranks, 1, Reproducible::run)), 1e-3) << ranks;
}

TEST(Bfloat16, GoesOnFromAStateAsIfUninterruptedAlsoBehindAValidationOfAveragedWeights) {
  const auto samples = some_samples(8);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto ranks = distributed::local_world(1);
  TrainParameters parameters = rounding();
  parameters.ema = 0.9;
  const auto make = [&] {
    return std::make_unique<HostStep>(parameters, architecture_of(parameters, 3), grid, Normaliser{}, *ranks[0], 2,
                                      StepOptions{});
  };
  const auto whole = make(), rest = make(), measured = make();
  for (int i = 0; i < 3; ++i) whole->step(samples, order, 0, i, 1e-2, false);
  const StepState half_way = whole->state();
  rest->load(half_way);
  const Figures figures = whole->validate(samples);
  whole->step(samples, order, 0, 3, 1e-2, false), rest->step(samples, order, 0, 3, 1e-2, false);
  EXPECT_EQ(rest->state().weights.parameters, whole->state().weights.parameters);
  EXPECT_EQ(rest->state().averaged.parameters, whole->state().averaged.parameters);
  measured->load_weights(half_way.averaged);
  EXPECT_EQ(measured->validate(samples).loss, figures.loss);
}

TEST(Bfloat16, AStepIsNotMadeBeforeItsPrecisionIsDecided) {
  TrainParameters parameters = tiny();
  parameters.precision = "auto";
  expect_check([&] { train(parameters, 1, 1, Reproducible::world); }, "a step's precision is decided before");
}

// One step from the same weights: Adam's first step is lr * sign-like, so the sums themselves are compared.
TEST(TrainingStep, RunAgreesToRoundingAtOneTwoAndFourRanks) {
  const auto expected = train(tiny(), 1, 1, Reproducible::run, 1);
  for (const int ranks : {2, 4}) {
    const auto weights = train(tiny(), ranks, 1, Reproducible::run, 1);
    EXPECT_LT(distance(expected, weights), 1e-4) << ranks;
  }
}

// Batch norm over the whole batch is the same mathematics however ranks share it; over micro-batches it is another.
TEST(TrainingStep, SynchronisedNormsDoNotDependOnTheRankCount) {
  TrainParameters parameters = tiny();
  parameters.optimizer = "sgd";  // Adam's first step is the gradient's sign
  parameters.norm = "sync";
  const auto alone = train(parameters, 1, 2, Reproducible::run);
  for (const int ranks : {2, 3, 4})
    EXPECT_LT(distance(alone, train(parameters, ranks, 1, Reproducible::run)), 1e-5) << ranks;
  TrainParameters whole = parameters;  // one micro-batch is the whole batch
  whole.norm = "batch";
  whole.micro_batch = whole.global_batch;
  EXPECT_LT(distance(alone, train(whole, 1, 1, Reproducible::run)), 1e-5);
  TrainParameters parts = parameters;
  parts.norm = "batch";
  EXPECT_GT(distance(alone, train(parts, 1, 1, Reproducible::run)), 1e-4);
}

TEST(TrainingStep, SynchronisedNormsRefuseARankWithoutSamples) {
  TrainParameters parameters = tiny();
  parameters.norm = "sync";
  EXPECT_THROW(train(parameters, 5, 1, Reproducible::run), Error);
}

TEST(TrainingStep, LowersTheLoss) {
  const auto samples = some_samples(8);
  std::vector<std::string> ids;
  for (const GridSample& sample : samples) ids.push_back(sample.id);
  const auto ranks = distributed::local_world(1);
  HostStep state(tiny(), {3, 4, 2, "batch", 0}, grid, Normaliser{}, *ranks[0], 2, {});
  const double before = state.step(samples, epoch_order(ids, 5, 0), 0, 0, 1e-2, false).figures.loss;
  double after = before;
  for (int64_t epoch = 1; epoch < 30; ++epoch)
    after = state.step(samples, epoch_order(ids, 5, epoch), epoch, 0, 1e-2, false).figures.loss;
  EXPECT_LT(after, 0.6 * before);
}

TEST(TrainingStep, AStepWithANaNLeavesNoTraceInLaterStatistics) {
  const auto samples = some_samples(8);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto ranks = distributed::local_world(1);
  HostStep state(tiny(), {3, 4, 2, "batch", 0}, grid, Normaliser{}, *ranks[0], 1, {});
  const Weights good = state.current_weights();
  Weights broken = good;
  broken.parameters.front() = std::nanf("");  // of the first convolution: its norm's statistics are none, too
  state.load_weights(broken);
  EXPECT_NE(state.step(samples, order, 0, 0, 1e-3, false).fault, "");
  state.load_weights(good);
  EXPECT_EQ(state.step(samples, order, 0, 1, 1e-3, false).fault, "");
  for (const float value : state.current_weights().statistics) EXPECT_TRUE(std::isfinite(value));
}

TEST(TrainingStep, ARequestToStopOnOneRankReachesAll) {
  const auto samples = some_samples(8);
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
  distributed::run_local_ranks(3, [&](Communicator& communicator) {
    HostStep state(tiny(), {3, 4, 2, "batch", 0}, grid, Normaliser{}, communicator, 1, {});
    EXPECT_FALSE(state.step(samples, order, 0, 0, 1e-3, false).interrupted);
    EXPECT_TRUE(state.step(samples, order, 0, 0, 1e-3, communicator.rank() == 2).interrupted);
  });
}

TEST(Validation, GivesTheSameFiguresForAnyRankCountAndIgnoresPadding) {
  const auto samples = some_samples(7);  // not a multiple of the micro-batch
  std::vector<double> losses, shares;
  for (const int ranks : {1, 2, 3}) {
    distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
      HostStep state(tiny(), {3, 4, 2, "batch", 0}, grid, Normaliser{}, communicator, 1, {});
      const Figures figures = state.validate(samples);
      if (communicator.rank() == 0)
        losses.push_back(figures.loss), shares.push_back(figures.tp + figures.fp + figures.fn + figures.tn);
    });
  }
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(losses[0], losses[2]);
  EXPECT_NEAR(shares[0], 1, 1e-6);
}

TEST(Batches, AnEpochVisitsEverySampleOnceAndOrdersDiffer) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(i));
  const auto order = epoch_order(ids, 1, 0);
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 20u);
  EXPECT_NE(order, epoch_order(ids, 1, 1));
  EXPECT_EQ(order, epoch_order(ids, 1, 0));
  EXPECT_EQ(micro_shard(order, 2, 1, 8, 4), (std::vector<int>{order[0], order[1], order[2], order[3]}))
      << "the last step is filled from the start";
}

TEST(Batches, ImageAndMaskTurnTogether) {
  GridSample sample = some_samples(1)[0];
  for (int p = 0; p < side * side; ++p) {
    for (int c = 0; c < 3; ++c) sample.image[p * 3 + c] = sample.mask[p] ? 255 : 0;
  }
  std::set<std::string> seen;
  const std::vector<GridSample> samples = {sample};
  const StepSamples data(samples, grid, Normaliser{});
  for (int64_t epoch = 0; epoch < 60; ++epoch) {
    Batch batch = make_batch(1, grid);
    fill_batch(batch, data, std::vector{data.drawn(0, {{true, true}, 3, 0}, epoch)});
    EXPECT_TRUE(torch::equal(batch.images[0][0], batch.targets[0][0]));
    seen.emplace(reinterpret_cast<const char*>(batch.targets.data_ptr<float>()), side * side * sizeof(float));
  }
  EXPECT_EQ(seen.size(), 8u) << "the square's eight symmetries";
}

TEST(Normaliser, ZscoreHasMeanZeroAndPercentileCutsOutliers) {
  const auto samples = some_samples(4);
  std::vector<const std::vector<uint8_t>*> images;
  for (const GridSample& sample : samples) images.push_back(&sample.image);
  const Normaliser zscore = make_normaliser("zscore", images, 3);
  double sum = 0;
  std::vector<float> out(side * side * 3);
  for (const auto* image : images) {
    zscore.apply(*image, 3, out.data());
    for (const float value : out) sum += value;
  }
  EXPECT_NEAR(sum / (4.0 * side * side * 3), 0, 1e-5);
  std::vector<uint8_t> image(300, 100);
  image[0] = 255, image[1] = 50, image[2] = 50, image[3] = 50, image[4] = 50;
  std::vector<float> values(300);
  make_normaliser("percentile", {}, 1).apply(image, 1, values.data());
  EXPECT_EQ(values[0], 1.0f);
}

TEST(Normaliser, CutsAtThePercentilesItIsGivenAndRecordsThem) {
  std::vector<uint8_t> image(1000, 100);
  for (size_t i = 0; i < 500; ++i) image[i] = 50;
  image[0] = 7, image[1] = 250;
  Normaliser normaliser = make_normaliser("percentile", {}, 1);
  EXPECT_EQ(normaliser.range_of(image), (std::pair(50.0, 100.0)));
  EXPECT_FALSE(to_json(normaliser).contains("percentiles")) << "models of before read the same";
  normaliser.low = 0, normaliser.high = 100;
  EXPECT_EQ(normaliser.range_of(image), (std::pair(7.0, 250.0)));
  const Normaliser again = normaliser_from_json(to_json(normaliser));
  EXPECT_EQ(again.low, 0);
  EXPECT_EQ(again.high, 100);
  EXPECT_EQ(normaliser_from_json({{"kind", "percentile"}}).high, 99);
}

TEST(Normaliser, RefusesPercentilesOfAModelThatAreNone) {
  for (const auto& limits : {pipeline::Value{99, 1}, pipeline::Value{-1, 99}, pipeline::Value{1, 101}}) {
    try {
      normaliser_from_json({{"kind", "percentile"}, {"percentiles", limits}});
      FAIL() << limits.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      EXPECT_THAT(error.what(), testing::HasSubstr("the lower before the higher"));
    }
  }
}

TEST(StoppingAdvice, IsForRanksWhoseStepAndSaveOutlastWhatMpirunLeavesThem) {
  const CheckpointCost slow{4, 0, 0, 6, 0}, fast{4, 0, 0, 0.8, 0};
  EXPECT_THAT(stopping_advice(2, 0.5, slow), testing::HasSubstr("a step and a save take 2.0 s"));
  EXPECT_EQ(stopping_advice(1, 0.5, slow), "") << "no mpirun";
  EXPECT_EQ(stopping_advice(2, 0.5, fast), "");
  EXPECT_EQ(stopping_advice(2, 0.5, {}), "") << "not known yet";
}

TEST(Checkpoint, ADamagedOneIsFoundOutAndTheOneBeforeIsStillThere) {
  TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  EXPECT_TRUE(read_manifests(folder.path()).empty());
  for (int64_t step : {1, 2, 3})
    checkpoints.save({{}, {1.0f * static_cast<float>(step)}, {}, {0.0f}, {}, {}, {}, {}, {}},
                     CheckpointManifest{step, 0, 0, 0, pipeline::Value::array(), {}, {}});
  EXPECT_EQ(pipeline::tree_of(folder.path()).size(), 4u) << "the last two, a file and a manifest each";
  const auto manifests = read_manifests(folder.path());
  ASSERT_EQ(manifests.size(), 2u);
  std::string bytes = pipeline::read_file(checkpoint_file(folder.path(), manifests[0]));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  pipeline::write_file(checkpoint_file(folder.path(), manifests[0]), bytes);
  EXPECT_FALSE(load_checkpoint(folder.path(), manifests[0]));
  EXPECT_EQ(load_checkpoint(folder.path(), manifests[1])->parameters, std::vector<float>{2.0f});
}

TEST(Checkpoint, OfArraysThatDoNotBelongTogetherIsNotWritten) {
  TemporaryFolder folder;
  const CheckpointManifest manifest{1, 0, 0, 0, pipeline::Value::array(), {}, {}};
  EXPECT_THROW(CheckpointFolder(folder.path()).save({{}, {1, 2}, {}, {0}, {}, {}, {}, {}, {}}, manifest), Error);
}

TEST(Checkpoint, HoldsAveragedWeightsWhereThereAreAnyAndElseNoTraceOfThem) {
  TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  const auto saved = [&](const Checkpoint& checkpoint) {
    checkpoints.save(checkpoint, CheckpointManifest{1, 0, 0, 0, pipeline::Value::array(), {}, {}});
    return read_manifests(folder.path()).at(0);
  };
  Checkpoint checkpoint{{}, {1, 2}, {3}, {0, 0}, {}, {}, {}, {}, {}};
  const CheckpointManifest plain = saved(checkpoint);
  EXPECT_EQ(pipeline::read_file(checkpoint_file(folder.path(), plain)).find("averaged"), std::string::npos);
  EXPECT_EQ(plain.weights, digest_of_weights({1, 2}, {3}));
  checkpoint.averaged_parameters = {1, 1.5f}, checkpoint.averaged_statistics = {2};
  const CheckpointManifest averaged = saved(checkpoint);
  EXPECT_NE(averaged.weights, plain.weights) << "replaying compares them, too";
  const auto loaded = load_checkpoint(folder.path(), averaged);
  EXPECT_EQ(loaded->averaged_parameters, checkpoint.averaged_parameters);
  EXPECT_EQ(loaded->averaged_statistics, checkpoint.averaged_statistics);
}

TEST(ModelFolder, SaysWhetherItsWeightsAreAveragedAndKeepsThat) {
  TemporaryFolder folder, copy;
  const Architecture architecture{3, 4, 2, "batch", 0};
  const FlatLayout layout = layout_of(*make_network(architecture));
  Weights weights;
  initialise(layout, 9, weights.parameters, weights.statistics);
  ModelDescription model;
  model.architecture = architecture;
  model.width = model.height = side;
  write_model(folder.path(), model, layout, weights);
  EXPECT_EQ(pipeline::read_file(folder.path() / "model.json").find("averaged"), std::string::npos);
  model.averaged = 0.99;
  write_model(folder.path(), model, layout, weights);
  rewrite_model(folder.path(), copy.path(), read_model_description(folder.path()));
  EXPECT_EQ(read_model_description(copy.path()).averaged, 0.99);
}

// A link would change the user's own file, and take its right to be written when the store does.
TEST(ModelFolder, IsRewrittenWithoutLinksToWhereItCameFrom) {
  const TemporaryFolder from, to;
  const Architecture architecture{3, 4, 2, "batch", 0};
  const FlatLayout layout = layout_of(*make_network(architecture));
  ModelDescription model;
  model.architecture = architecture, model.width = model.height = 16;
  Weights weights;
  initialise(layout, 1, weights.parameters, weights.statistics);
  write_model(from.path(), model, layout, weights);
  rewrite_model(from.path(), to.path(), model);
  for (const char* name : {"weights.safetensors", "architecture.json"})
    EXPECT_EQ(std::filesystem::hard_link_count(from.path() / name), 1u) << name;
}

TEST(ModelFolder, GivesBackItsWeightsAndRefusesOthers) {
  TemporaryFolder folder;
  const Architecture architecture{3, 4, 2, "batch", 0};
  const FlatLayout layout = layout_of(*make_network(architecture));
  Weights weights;
  initialise(layout, 9, weights.parameters, weights.statistics);
  ModelDescription model;
  model.architecture = architecture;
  model.width = model.height = side;
  write_model(folder.path(), model, layout, weights);
  EXPECT_EQ(read_weights(folder.path(), layout).parameters, weights.parameters);
  EXPECT_TRUE(read_model_description(folder.path()).architecture == architecture);
  std::string bytes = pipeline::read_file(folder.path() / "weights.safetensors");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  pipeline::write_file(folder.path() / "weights.safetensors", bytes);
  EXPECT_THROW(read_weights(folder.path(), layout), Error);
}

// OpenCV brings the system's BLAS along, which libtorch_cpu would call in place of its own (232 ms instead of 11 for a
// 700 x 700 product) if it came first.
TEST(ComputeLibrary, MatrixProductsStayWithLibTorch) {
  void* function = dlsym(RTLD_DEFAULT, "sgemm_");
  ASSERT_NE(function, nullptr);
  Dl_info about = {};
  ASSERT_NE(dladdr(function, &about), 0);
  EXPECT_THAT(about.dli_fname, testing::HasSubstr("libtorch_cpu"));
}

}  // namespace
}  // namespace penstock::stages
