// Crops of an epoch and tiles of validation.
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <numeric>
#include <set>

#include "distributed/local_communicator.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/small_training.h"
#include "stages/compute/training/checkpoint.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

const CropRules plain_rules{{}, 3, 0};

// One picture of this size, whose channels say where a pixel lies.
std::vector<GridSample> one_picture(int height, int width) {
  GridSample sample;
  sample.id = "one", sample.height = height, sample.width = width;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      sample.image.insert(sample.image.end(), {static_cast<uint8_t>(y), static_cast<uint8_t>(x), 0});
      sample.mask.push_back(0);
    }
  }
  return {sample};
}

TEST(Mirrored, GoesOnBeyondBothEdgesAsInMirrors) {
  std::vector<int> shown;
  for (int i = -7; i < 9; ++i) shown.push_back(mirrored(i, 3));
  EXPECT_EQ(shown, (std::vector<int>{0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2}));
  EXPECT_EQ(mirrored(-100, 1), 0);
}

// Over all draws each pixel is seen as often as any other: exactly, at the ends and in the middle.
TEST(Crops, OverAllWindowsEachPixelIsSeenAsOften) {
  for (const auto& [size, crop] : {std::pair(17, 16), std::pair(40, 16), std::pair(33, 32), std::pair(100, 2)}) {
    std::vector<int> seen(static_cast<size_t>(size));
    for (int u = 0; u < 2 * size; ++u) {
      const int begin = window_begin(static_cast<uint64_t>(u), size, crop);
      for (int i = 0; i < crop; ++i) ++seen[static_cast<size_t>(mirrored(begin + i, size))];
    }
    for (const int count : seen) EXPECT_EQ(count, 2 * crop) << size << ", " << crop;
  }
}

// The same of what is drawn, in two dimensions. A block in a corner deviates by 1.4 %.
TEST(Crops, DrawnCropsSeeEachPixelAsOften) {
  const auto samples = one_picture(48, 80);
  const StepSamples data(samples, grid, Normaliser{});
  constexpr int epochs = 8000, block = 8, rows = 48 / block, columns = 80 / block;
  std::vector<double> seen(rows * columns);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (size_t crop = 0; crop < data.crops().size(); ++crop) {
      const BatchRow row = data.drawn(static_cast<int>(crop), plain_rules, epoch);
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x)
          ++seen[static_cast<size_t>(mirrored(row.top + y, 48) / block * columns + mirrored(row.left + x, 80) / block)];
      }
    }
  }
  const double mean = std::accumulate(seen.begin(), seen.end(), 0.0) / static_cast<double>(seen.size());
  for (const double count : seen) EXPECT_NEAR(count / mean, 1, 0.07);
}

TEST(Crops, APictureThatIsNotLargerLiesWholeInItsWindow) {
  const auto samples = one_picture(16, 9);
  const StepSamples data(samples, grid, Normaliser{});
  std::set<int> lefts;
  for (int epoch = 0; epoch < 200; ++epoch) {
    const BatchRow row = data.drawn(0, plain_rules, epoch);
    EXPECT_EQ(row.top, 0);
    lefts.insert(row.left);
  }
  EXPECT_EQ(lefts, (std::set<int>{-7, -6, -5, -4, -3, -2, -1, 0}));
}

TEST(Crops, AnEpochHoldsAsManyAsFitIntoThePictureAndOneAtLeast) {
  EXPECT_EQ(crops_of_sample(16, 16, 16, 16), 1);
  EXPECT_EQ(crops_of_sample(4, 4, 16, 16), 1);
  EXPECT_EQ(crops_of_sample(520, 696, 256, 256), 6) << "5.5, rounded";
  auto samples = some_samples(2);
  samples.push_back(one_picture(40, 33)[0]);  // 5.2
  const auto crops = crops_of(samples, grid);
  ASSERT_EQ(crops.size(), 7u);
  EXPECT_EQ(crops[1].sample, 1);
  EXPECT_EQ(crops[6].sample, 2);
  EXPECT_EQ(crops[6].number, 4);
}

TEST(Crops, AreAsManyAsABalancedSampleSaysEachWithItsOwnDraws) {
  auto samples = some_samples(3);
  samples[1].crops = 3;
  const StepSamples data(samples, grid, Normaliser{});
  ASSERT_EQ(data.crops().size(), 5u);
  EXPECT_EQ(data.crops()[3].sample, 1);
  EXPECT_EQ(data.crops()[3].number, 2);
  std::set<int> turns;
  for (int epoch = 0; epoch < 8; ++epoch) {
    for (int crop = 1; crop <= 3; ++crop) turns.insert(data.drawn(crop, {{true, true}, 7, 0}, epoch).orientation);
  }
  EXPECT_GT(turns.size(), 4u);
}

TEST(Crops, OfAPictureDifferInAnEpochAndBetweenEpochs) {
  const auto samples = one_picture(100, 100);
  const StepSamples data(samples, grid, Normaliser{});
  std::set<std::tuple<int, int>> windows;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (int crop = 0; crop < 39; ++crop) {
      const BatchRow row = data.drawn(crop, plain_rules, epoch);
      windows.emplace(row.top, row.left);
    }
  }
  EXPECT_GT(windows.size(), 75u) << "of 78";
}

// A sample of the input's size is drawn as before there were crops.
TEST(Crops, TheFirstOfASampleHasTheSamplesOwnDraws) {
  const std::vector<std::string> ids = {"a", "b", "c"};
  EXPECT_EQ(epoch_order(ids, 4, 2), epoch_order(ids, 4, 2, {0, 0, 0}));
  EXPECT_EQ(crop_draws(4, "order", 2, "b", 0).bits(0), Draws(4, "order", {2}, "b").bits(0));
  EXPECT_NE(crop_draws(4, "order", 2, "b", 1).bits(0), Draws(4, "order", {2}, "b").bits(0));
}

TEST(Crops, AShareOfThemIsCentredOnLabelledPixelsEachAsLikely) {
  auto samples = one_picture(90, 70);
  std::vector<std::pair<int, int>> labelled = {{0, 0}, {30, 40}, {30, 41}, {89, 69}};
  for (const auto& [y, x] : labelled) samples[0].mask[static_cast<size_t>(y * 70 + x)] = 1;
  const StepSamples data(samples, grid, Normaliser{});
  std::map<std::pair<int, int>, int> centred;
  int drawn = 0;
  for (int epoch = 0; epoch < 2000; ++epoch) {
    for (int crop = 0; crop < 4; ++crop, ++drawn) {
      const BatchRow row = data.drawn(crop, {{}, 9, 0.5}, epoch);
      for (const auto& [y, x] : labelled) {
        // One of the two pixels in the middle, in each direction.
        const auto middle = [](int begin, int pixel) {
          return pixel - begin == side / 2 || pixel - begin == side / 2 - 1;
        };
        if (middle(row.top, y) && middle(row.left, x)) ++centred[{y, x}];
      }
    }
  }
  EXPECT_EQ(centred.size(), 4u);
  // Windows of the two neighbours are centred on both where they agree: a half.
  const auto share = [&](int y, int x) { return centred.at({y, x}) / (drawn / 2.0); };
  EXPECT_NEAR(share(0, 0), 0.25, 0.03);
  EXPECT_NEAR(share(89, 69), 0.25, 0.03);
  EXPECT_NEAR(share(30, 40), 0.375, 0.03);
}

TEST(Crops, APictureWithoutLabelledPixelsIsDrawnEvenly) {
  const auto samples = one_picture(90, 70);
  const StepSamples data(samples, grid, Normaliser{});
  for (int crop = 0; crop < 25; ++crop) {
    const BatchRow with = data.drawn(crop, {{}, 9, 1}, 0), without = data.drawn(crop, {{}, 9, 0}, 0);
    EXPECT_EQ(with.top, without.top);
    EXPECT_EQ(with.left, without.left);
  }
}

TEST(Batches, ACropShowsItsWindowMirroredAndTurned) {
  const auto samples = one_picture(20, 40);
  const StepSamples data(samples, grid, Normaliser{});
  Batch batch = make_batch(2, grid);
  fill_batch(batch, data, std::vector<BatchRow>{{0, -3, 30, side, side, 0}, {0, -3, 30, side, side, transpose_bit}});
  const auto at = [&](int n, int c, int y, int x) { return std::lround(batch.images[n][c][y][x].item<float>() * 255); };
  EXPECT_EQ(at(0, 0, 0, 0), 2) << "the third pixel above the edge is the third below it";
  EXPECT_EQ(at(0, 0, 3, 0), 0);
  EXPECT_EQ(at(0, 1, 0, 9), 39);
  EXPECT_EQ(at(0, 1, 0, 10), 39) << "mirrored";
  EXPECT_EQ(at(0, 1, 0, 11), 38);
  EXPECT_EQ(at(1, 0, 10, 5), at(0, 0, 5, 10));
}

// What is normal in a picture is decided by the whole of it.
TEST(Batches, PercentilesAreThePicturesNotTheCrops) {
  auto samples = one_picture(40, 40);
  for (size_t p = 0; p < samples[0].mask.size(); ++p) {
    for (int c = 0; c < 3; ++c) samples[0].image[p * 3 + static_cast<size_t>(c)] = p % 40 < 20 ? 50 : 200;
  }
  const StepSamples data(samples, grid, make_normaliser("percentile", {}, 3));
  Batch batch = make_batch(1, grid);
  fill_batch(batch, data, std::vector<BatchRow>{{0, 0, 24, side, side, 0}});  // bright throughout
  EXPECT_EQ(batch.images.min().item<float>(), 1.0f);
}

TEST(Tiles, CountEachPixelOfEachSampleOnce) {
  const auto samples = pictures(6, 70);
  const auto tiles = tiles_of(samples, grid);
  std::vector<std::vector<int>> counted;
  for (const GridSample& sample : samples) counted.emplace_back(sample.mask.size());
  for (const BatchRow& tile : tiles) {
    const GridSample& sample = samples[static_cast<size_t>(tile.sample)];
    for (int y = tile.top; y < tile.top + tile.height; ++y) {
      for (int x = tile.left; x < tile.left + tile.width; ++x)
        ++counted[static_cast<size_t>(tile.sample)].at(static_cast<size_t>(y * sample.width + x));
    }
  }
  for (const auto& picture : counted) {
    for (const int count : picture) EXPECT_EQ(count, 1);
  }
}

// A network that always says "foreground" is right as often as pixels are labelled, whatever lies beyond the edges.
TEST(Validation, OfTilesCountsThePicturesPixelsOnly) {
  const auto samples = pictures(5, 45);
  double labelled = 0, pixels = 0;
  for (const GridSample& sample : samples) {
    for (const uint8_t value : sample.mask) labelled += value, ++pixels;
  }
  const auto ranks = distributed::local_world(1);
  HostStep step(tiny(), {3, 4, 2, "batch", 0}, grid, Normaliser{}, *ranks[0], 2, {});
  Weights weights = step.current_weights();
  weights.parameters.back() = 1000;  // the last layer's bias
  step.load_weights(weights);
  const Figures figures = step.validate(samples);
  EXPECT_NEAR(figures.tp, labelled / pixels, 1e-6);
  EXPECT_NEAR(figures.fp, 1 - labelled / pixels, 1e-6);
}

TEST(TrainingStep, CropsGiveTheSameBitsForAnyRanksAndThreads) {
  const auto samples = pictures(7, 60);
  std::vector<std::string> ids;
  std::vector<int> numbers;
  for (const Crop& crop : crops_of(samples, grid))
    ids.push_back(samples[static_cast<size_t>(crop.sample)].id), numbers.push_back(crop.number);
  ASSERT_GT(ids.size(), 12u);
  TrainParameters parameters = tiny();
  parameters.foreground = 0.5;
  const Weights before =
      HostStep(parameters, {3, 4, 2, "batch", 0}, grid, Normaliser{}, *distributed::local_world(1)[0], 1, {})
          .current_weights();
  std::set<std::string> digests;
  std::set<double> losses;
  std::mutex mutex;
  for (const auto& [ranks, threads] : {std::pair(1, 1), std::pair(1, 3), std::pair(2, 1), std::pair(3, 2)}) {
    distributed::run_local_ranks(ranks, [&, threads = threads](Communicator& communicator) {
      HostStep step(parameters, {3, 4, 2, "batch", 0}, grid, Normaliser{}, communicator, threads, {});
      for (int i = 0; i < 4; ++i) step.step(samples, epoch_order(ids, 5, 0, numbers), 0, i, 1e-2, false);
      const double loss = step.validate(samples).loss;
      const Weights reached = step.current_weights();
      EXPECT_NE(reached.parameters, before.parameters);
      const std::lock_guard lock(mutex);
      digests.insert(digest_of_weights(reached.parameters, reached.statistics).hex());
      losses.insert(loss);
    });
  }
  EXPECT_EQ(digests.size(), 1u);
  EXPECT_EQ(losses.size(), 1u);
}

}  // namespace
}  // namespace penstock::stages
