// What "auto" became at a training's first attempt, with threads as ranks.
#include "stages/compute/training/fixed_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "distributed/local_communicator.h"
#include "pipeline/files.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;
using pipeline::Value;
using Folders = std::vector<std::filesystem::path>;

Value not_asked() { throw std::logic_error("not asked again"); }

TEST(FixedChoice, OnceMadeItStaysOnAnyNumberOfRanks) {
  const TemporaryFolder progress;
  for (const int count : {3, 1, 2}) {
    distributed::run_local_ranks(count, [&](Communicator& ranks) {
      Folders none;
      const auto choose = [&] { return count == 3 ? Value("bf16") : not_asked(); };
      EXPECT_EQ(fixed_choice(ranks, progress.path(), none, "precision", choose), "bf16") << count;
    });
  }
  EXPECT_EQ(pipeline::read_file(progress.path() / "precision.json"), "{\"precision\":\"bf16\"}\n");
}

TEST(FixedChoice, ARelativesIsTakenAndThoseOfOtherChoicesAreNoRelatives) {
  const TemporaryFolder progress, without, same, other;
  pipeline::write_file(same.path() / "precision.json", "{\"precision\": \"fp32\"}");
  pipeline::write_file(other.path() / "precision.json", "{\"precision\": \"bf16\"}");
  Folders relatives = {without.path(), same.path(), other.path()};
  const auto ranks = distributed::local_world(1);
  EXPECT_EQ(fixed_choice(*ranks[0], progress.path(), relatives, "precision", not_asked), "fp32");
  EXPECT_THAT(relatives, testing::ElementsAre(same.path()));
}

}  // namespace
}  // namespace penstock::stages
