// The order in which a rank is said to need its samples is the one in which it asks for them; and whatever is kept of
// them, the bits are the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "distributed/local_communicator.h"
#include "stages/compute/step/batches.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/small_training.h"
#include "stages/compute/training/read_ahead.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

// Samples whose pixels are behind `source`, and number on from `first`.
std::vector<GridSample> behind(const std::vector<GridSample>& samples, std::shared_ptr<SampleSource> source,
                               int first = 0) {
  std::vector<GridSample> headers;
  for (size_t i = 0; i < samples.size(); ++i) {
    GridSample header;
    header.id = samples[i].id;
    header.width = samples[i].width, header.height = samples[i].height;
    header.crops = samples[i].crops;
    header.source = source;
    header.number = first + static_cast<int>(i);
    headers.push_back(std::move(header));
  }
  return headers;
}

SampleCache::Store shelf_of(const std::vector<GridSample>& samples) {
  const auto at = [&samples](int number) -> const GridSample& { return samples.at(static_cast<size_t>(number)); };
  return {[at](int number) {
            return StoredPixels{at(number).image, at(number).mask, at(number).objects};
          },
          [at](int number) {
            const GridSample& sample = at(number);
            return StoredPixels{sample.image, sample.mask, sample.objects}.bytes();
          }};
}

// Notes what it is asked for.
class Noting final : public SampleSource {
 public:
  explicit Noting(const std::vector<GridSample>& samples) : samples_(samples) {}
  SamplePixels pixels(int number) override {
    asked.push_back(number);
    return samples_.at(static_cast<size_t>(number)).pixels();
  }
  std::vector<int> asked;

 private:
  const std::vector<GridSample>& samples_;
};

std::vector<GridSample> varied() {
  auto samples = pictures(13, 60);
  give_objects(samples);
  return samples;
}

TrainParameters varied_training() {
  TrainParameters parameters = tiny();
  parameters.targets = {"mask", "border"};
  parameters.foreground = 0.5;
  parameters.augment = {"flip", "rot90", "gain", "invert_bright", "blur"};
  return parameters;
}

std::vector<int> order_of(const std::vector<GridSample>& train, int64_t seed, int64_t epoch) {
  std::vector<std::string> ids;
  std::vector<int> numbers;
  for (const Crop& crop : crops_of(train, grid)) {
    ids.push_back(train[static_cast<size_t>(crop.sample)].id);
    numbers.push_back(crop.number);
  }
  return epoch_order(ids, seed, epoch, numbers);
}

TEST(ReadAhead, NamesTheCallsThatAStepMakesInTheirOrder) {
  const TrainParameters parameters = varied_training();
  const auto samples = varied();
  for (const int ranks : {1, 2, 3}) {
    distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
      const auto source = std::make_shared<Noting>(samples);
      const auto all = behind(samples, source);
      const std::vector<GridSample> train(all.begin(), all.begin() + 10), validation(all.begin() + 10, all.end());
      const auto order = order_of(train, parameters.seed, 0), next = order_of(train, parameters.seed, 1);
      const ReadAhead reading(parameters, train, validation, grid, {communicator.rank(), ranks});
      HostStep step(parameters, architecture_of(parameters, 3), grid, Normaliser{}, communicator, 1, {});
      const auto run = [&](int64_t from, const std::vector<int>& taken) {
        for (int64_t i = from; i < reading.steps(); ++i) step.step(train, taken, 0, i, 1e-3, false);
      };
      run(2, order);
      step.validate(validation);
      run(0, next);
      EXPECT_EQ(source->asked, reading.calls_from(2, order, next)) << "rank " << communicator.rank() << " of " << ranks;
    });
  }
}

// The weights after two epochs, and the figures of validation; `limit`: of the cache, 0: all samples stay in memory.
std::pair<std::vector<float>, double> trained(int ranks, int threads, int64_t limit, const std::string& normalise) {
  TrainParameters parameters = varied_training();
  parameters.normalise = normalise;
  const auto samples = varied();
  std::vector<const std::vector<uint8_t>*> images;
  for (const GridSample& sample : samples) images.push_back(&sample.image);
  const Normaliser normaliser = make_normaliser(normalise, images, 3);
  std::mutex mutex;
  std::pair<std::vector<float>, double> reached;
  distributed::run_local_ranks(ranks, [&](Communicator& communicator) {
    const auto count = static_cast<int>(samples.size());
    const auto cache = limit > 0 ? std::make_shared<SampleCache>(shelf_of(samples), count, limit) : nullptr;
    const auto all = limit > 0 ? behind(samples, cache) : samples;
    const std::vector<GridSample> train(all.begin(), all.begin() + 10), validation(all.begin() + 10, all.end());
    ReadAhead reading(parameters, train, validation, grid, {communicator.rank(), ranks}, cache.get());
    HostStep step(parameters, architecture_of(parameters, 3), grid, normaliser, communicator, threads, {});
    double loss = 0;
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      const auto order = order_of(train, parameters.seed, epoch);
      reading.begin_epoch(0, order, order_of(train, parameters.seed, epoch + 1));
      for (int64_t i = 0; i < reading.steps(); ++i) {
        reading.before_step(i);
        step.step(train, order, epoch, i, 1e-3, false);
      }
      reading.before_validation();
      loss += step.validate(validation).loss;
    }
    if (cache != nullptr) {
      EXPECT_LE(cache->figures().most_bytes, limit);
    }
    const std::lock_guard lock(mutex);
    reached = {step.current_weights().parameters, loss};
  });
  return reached;
}

TEST(ReadAhead, WhateverIsKeptTheBitsAreTheSame) {
  for (const char* normalise : {"unit", "zscore", "percentile"}) {
    const auto expected = trained(1, 1, 0, normalise);
    for (const int ranks : {1, 2, 3}) {
      for (const int64_t limit : {1, 30'000, 10'000'000})
        EXPECT_EQ(trained(ranks, 2, limit, normalise), expected) << ranks << " ranks, " << limit << " bytes";
    }
  }
}

}  // namespace
}  // namespace penstock::stages
