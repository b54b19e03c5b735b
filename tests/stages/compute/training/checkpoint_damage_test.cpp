// A checkpoint that is not what was written is never gone on from: the one before it is, and the log says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <random>
#include <sstream>

#include "pipeline/files.h"
#include "stages/compute/training/checkpoints.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A folder with the checkpoints of steps 15 and 17.
class CheckpointDamage : public testing::Test {
 protected:
  CheckpointDamage() {
    const CheckpointFolder checkpoints(folder());
    for (const int64_t step : {15, 17}) checkpoints.save(checkpoint_of(step), manifest_of(step));
    data_ = checkpoint_file(folder(), read_manifests(folder()).front());
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(log_);
    usual_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("", sink));
  }
  ~CheckpointDamage() override { spdlog::set_default_logger(usual_); }

  const fs::path& folder() const { return folder_.path(); }
  const fs::path& data() const { return data_; }
  fs::path manifest() const { return manifest_file(folder(), 17); }

  // Gone on from step 15 and no other, with its numbers, and a warning that names the file; `found` keeps the last
  // warning.
  bool previous_serves(const fs::path& damaged) {
    log_.str("");
    const auto found = find_in(folder());
    const std::string said = log_.str();
    return found && same(found->manifest, manifest_of(15)) && same(found->checkpoint, before_) &&
           said.find(damaged.string()) != std::string::npos &&
           said.find("the previous checkpoint is used") != std::string::npos;
  }
  bool newest_serves() {
    const auto found = find_in(folder());
    return found && same(found->manifest, manifest_of(17)) && same(found->checkpoint, newest_);
  }
  // Every fsync would make the thousands of files below a matter of minutes.
  static void put(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::ostringstream log_;

 private:
  TemporaryFolder folder_;
  fs::path data_;
  std::shared_ptr<spdlog::logger> usual_;
  const Checkpoint before_ = checkpoint_of(15), newest_ = checkpoint_of(17);
};

TEST_F(CheckpointDamage, EachOfTwoThousandFlippedBitsIsDetectedAndThePreviousOneUsed) {
  ASSERT_TRUE(newest_serves());
  std::mt19937_64 random(20);
  int detected = 0;
  for (const fs::path& file : {data(), manifest()}) {
    const std::string bytes = pipeline::read_file(file);
    for (int flip = 0; flip < 1000; ++flip) {
      const size_t bit = random() % (bytes.size() * 8);
      std::string other = bytes;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
      put(file, other);
      const bool found_out = previous_serves(file);
      detected += found_out;
      ASSERT_TRUE(found_out) << "bit " << bit << " of " << file << "\n" << log_.str();
    }
    put(file, bytes);
  }
  EXPECT_EQ(detected, 2000);
  EXPECT_TRUE(newest_serves()) << "as it was before";
}

TEST_F(CheckpointDamage, WhatWasCutOffAnywhereIsDetected) {
  std::mt19937_64 random(21);
  for (const fs::path& file : {data(), manifest()}) {
    const std::string bytes = pipeline::read_file(file);
    for (int cut = 0; cut < 100; ++cut) {
      const size_t length = cut == 0 ? 0 : cut == 1 ? bytes.size() - 1 : random() % bytes.size();
      put(file, bytes.substr(0, length));
      EXPECT_TRUE(previous_serves(file)) << file << " cut to " << length;
    }
    put(file, bytes);
  }
}

TEST_F(CheckpointDamage, AnotherCheckpointsFileInItsPlaceIsDetected) {
  const std::string other = pipeline::read_file(checkpoint_file(folder(), read_manifests(folder()).back()));
  put(data(), other);
  EXPECT_TRUE(previous_serves(data()));
}

TEST_F(CheckpointDamage, AMissingFileIsDetected) {
  fs::remove(data());
  EXPECT_TRUE(previous_serves(data()));
}

TEST_F(CheckpointDamage, WhereAllAreDamagedTrainingStartsFromTheBeginning) {
  for (const CheckpointManifest& one : read_manifests(folder())) put(checkpoint_file(folder(), one), "");
  EXPECT_FALSE(find_in(folder()));
}

// Else the damaged one would be among the last few for ever, and only one whole one beside it.
TEST_F(CheckpointDamage, TheNextSaveRemovesWhatWasPassedOver) {
  put(data(), "");
  CheckpointFolder(folder()).save(checkpoint_of(16), manifest_of(16));
  std::vector<int64_t> steps;
  for (const CheckpointManifest& one : read_manifests(folder())) steps.push_back(one.step);
  EXPECT_THAT(steps, testing::ElementsAre(16, 15));
  EXPECT_EQ(pipeline::tree_of(folder()).size(), 4u);
}

}  // namespace
}  // namespace penstock::stages
