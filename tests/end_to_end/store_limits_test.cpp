// A store that is only read, and one whose disk is full.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mounted.h"
#include "workplace.h"

namespace penstock {
namespace {

using testing::_;
using testing::AllOf;
using testing::AnyOf;
using testing::Each;
using testing::HasSubstr;
using testing::Pair;

constexpr const char* data_stages = "--until inspect --set synthesize.count=16";

TEST(ReadOnlyStore, ServesWhateverIsCachedAndRefusesTheRestWithItsPath) {
  const Workplace place;
  const MountedMemory memory(place.path() / ".penstock", "64m");
  SKIP_UNLESS_MOUNTED(memory);
  ASSERT_EQ(place.penstock(std::string("run pipeline.toml ") + data_stages).code, 0);
  ASSERT_TRUE(memory.make_read_only());

  const Ran plan = place.penstock(std::string("plan pipeline.toml --count ") + data_stages);
  EXPECT_EQ(plan.code, 0) << plan.error;
  EXPECT_THAT(plan.out, testing::StartsWith("0 of 4"));
  EXPECT_EQ(place.penstock("explain pipeline.toml resize --set resize.width=48").code, 0);
  EXPECT_THAT(place.states(data_stages), Each(Pair(_, "hit")));
  EXPECT_THAT(place.states(data_stages, 2), Each(Pair(_, "hit"))) << "on two ranks";
  EXPECT_EQ(place.penstock("cache ls").code, 0);
  EXPECT_EQ(place.penstock("cache verify").code, 0);

  for (const int ranks : {1, 2}) {
    for (const char* flag : {"", " --no-lease", " -j 2"}) {
      const Ran ran =
          place.penstock(std::string("run pipeline.toml --set resize.width=48 ") + data_stages + flag, ranks);
      EXPECT_EQ(ran.code, 73) << ranks << " ranks" << flag << "\n" << ran.error;
      EXPECT_THAT(ran.error,
                  AllOf(HasSubstr((place.path() / ".penstock/").string()), HasSubstr("Read-only file system")));
    }
  }
  EXPECT_EQ(place.penstock("cache gc --yes").code, 73);
  EXPECT_EQ(place.penstock("cache pin pipeline.toml resize --set synthesize.count=16").code, 73);
}

// Whatever the store has room for: the lease, a part of the archive, some packs, all but the last key.
class FullDisk : public testing::TestWithParam<const char*> {};

TEST_P(FullDisk, EndsWith74AndThePathAndTheSameCommandGoesOnWhenThereIsRoom) {
  const Workplace place;
  const MountedMemory memory(place.path() / ".penstock", GetParam());
  SKIP_UNLESS_MOUNTED(memory);
  const std::string command = std::string("run pipeline.toml ") + data_stages;
  const Ran full = place.penstock(command);
  EXPECT_EQ(full.code, 74) << full.error;
  EXPECT_THAT(full.error,
              AllOf(HasSubstr((place.path() / ".penstock/").string()), HasSubstr("No space left on device")));
  EXPECT_EQ(place.entries(".penstock/staging"), 0u);
  EXPECT_EQ(place.entries(".penstock/leases"), 0u);
  EXPECT_EQ(place.penstock("cache verify").code, 0) << "what is there is whole";
  const size_t published = place.entries(".penstock/actions");

  ASSERT_TRUE(memory.resize("64m"));
  const auto states = place.states(data_stages);
  size_t hits = 0;
  for (const auto& [stage, state] : states) hits += state == "hit";
  EXPECT_EQ(hits, published) << "what was published before the disk was full is not made again";
  EXPECT_EQ(place.penstock(command).code, 0);
  EXPECT_EQ(place.penstock("cache verify").code, 0);
}

INSTANTIATE_TEST_SUITE_P(AtAnyStage, FullDisk, testing::Values("4k", "64k", "1400k", "2000k", "2700k", "2800k"),
                         [](const auto& size) { return "With" + std::string(size.param); });

TEST(FullDiskOfRanks, OnTwoRanksEndsBothWith74) {
  const Workplace place;
  const MountedMemory memory(place.path() / ".penstock", "2000k");
  SKIP_UNLESS_MOUNTED(memory);
  const Ran full = place.penstock(std::string("run pipeline.toml ") + data_stages, 2);
  EXPECT_EQ(full.code, 74) << full.error;
  EXPECT_EQ(place.entries(".penstock/staging"), 0u);
}

}  // namespace
}  // namespace penstock
