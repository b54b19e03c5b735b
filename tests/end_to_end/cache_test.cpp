// `penstock cache ...` as a user types it, on a pipeline of light stages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using nlohmann::json;
using testing::_;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Pair;

// Two programs of a few milliseconds, a folder as input, and data stages.
constexpr const char* light_pipeline = R"(schema = 1
[pipeline]
name = "light"
[stage.synthesize]
count = 8
[stage.unzip]
inputs = { archive = "synthesize.archive" }
[stage.upper]
uses = "command"
command = ["sh", "-c", "tr a-z A-Z < {text}/a.txt > {out}/a.txt"]
inputs = { text = "file:text" }
outputs = ["out"]
[stage.twice]
uses = "command"
command = ["sh", "-c", "cat {text}/a.txt {text}/a.txt > {out}/a.txt"]
inputs = { text = "upper.out" }
outputs = ["out"]
)";

class CacheTest : public testing::Test {
 protected:
  CacheTest() { make(place); }

  static void make(const Workplace& place) {
    std::filesystem::create_directories(place.path() / "text");
    place.write("text/a.txt", "hello\n");
  }
  json cache(const std::string& arguments, int code = 0) const {
    const Ran ran = place.penstock("cache " + arguments + " --json");
    EXPECT_EQ(ran.code, code) << ran.error;
    return ran.out.empty() ? json() : json::parse(ran.out);
  }
  void age(int days) const {
    ASSERT_EQ(run("find .penstock -exec touch -h -d '" + std::to_string(days) + " days ago' {} +", place.path()).code,
              0);
  }
  std::filesystem::path output_of(const std::string& port) const {
    return place.path() / ".penstock/objects" / place.published().at(port) / "files";
  }

  Workplace place{light_pipeline};
};

TEST_F(CacheTest, LsShowsEveryPublicationAndCountsHardLinksOnce) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  const auto said = cache("ls");
  std::set<std::string> stages;
  uint64_t outputs = 0;
  for (const auto& one : said.at("publications")) {
    stages.insert(one.at("stage").get<std::string>());
    outputs += one.at("bytes").get<uint64_t>();
    EXPECT_FALSE(one.at("pinned"));
  }
  EXPECT_EQ(stages, (std::set<std::string>{"synthesize", "unzip", "upper", "twice"}));
  EXPECT_GT(said.at("chunks").at("bytes"), 0);
  EXPECT_LT(said.at("bytes"), outputs + said.at("chunks").at("bytes").get<uint64_t>())
      << "unzip's parts and packs are the same files";
  EXPECT_EQ(cache("ls --sort size").at("publications").at(0).at("stage"), "synthesize");
  EXPECT_EQ(cache("ls pipeline.toml"), said) << "the configuration's store is the same";
  EXPECT_THAT(place.penstock("cache ls").out, AllOf(HasSubstr("upper"), HasSubstr("4 publications")));
}

TEST_F(CacheTest, AFolderWithoutAStoreIsNamed) {
  const Ran ran = place.penstock("cache ls --store nowhere");
  EXPECT_EQ(ran.code, 65);
  EXPECT_THAT(ran.error, AllOf(HasSubstr("nowhere"), HasSubstr("no store")));
}

TEST_F(CacheTest, GcReportsUnlessToldYesAndPinsStay) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  age(40);
  EXPECT_EQ(cache("pin pipeline.toml twice").at("pinned"), true);
  EXPECT_GT(cache("gc --older-than 30").at("freed"), 0);
  EXPECT_EQ(cache("ls").at("publications").size(), 4u) << "nothing was removed";
  EXPECT_GT(cache("gc --older-than 30 --yes").at("freed"), 0);
  const auto left = cache("ls").at("publications");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left.at(0).at("stage"), "twice");
  EXPECT_EQ(left.at(0).at("pinned"), true);
  EXPECT_EQ(cache("unpin " + left.at(0).at("action").get<std::string>().substr(0, 8)).at("pinned"), false);
  EXPECT_EQ(cache("verify").at("bad").size(), 0u);
}

TEST_F(CacheTest, GcKeepsWhatAConfigurationReaches) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  ASSERT_EQ(place.penstock("run pipeline.toml --set synthesize.count=9").code, 0);
  age(40);
  cache("gc --older-than 0 --keep pipeline.toml --yes");
  EXPECT_THAT(place.states(), Each(Pair(_, "hit")));
  EXPECT_EQ(place.states("--set synthesize.count=9").at("synthesize"), "ran");
}

TEST_F(CacheTest, GcMakesTheStoreFit) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  age(40);
  cache("gc --max-size 20kB --yes");
  EXPECT_LE(cache("ls").at("bytes"), 20'000);
  EXPECT_EQ(place.penstock("run pipeline.toml").code, 0);
  EXPECT_EQ(place.penstock("cache gc --max-size much").code, 64);
}

TEST_F(CacheTest, GcBesideARunLeavesWhatItMakesAndReads) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  age(40);
  const std::string slow =
      "run pipeline.toml --until twice --set 'twice.command=[\"sh\", \"-c\", \"touch {out}/begun; while [ ! -e " +
      (place.path() / "collected").string() + " ]; do sleep 0.05; done; cat {text}/a.txt > {out}/a.txt\"]'";
  Process process(place.program(1) + slow, place.path());
  const auto begun = [&] { return run("ls .penstock/staging/*/out/begun", place.path()).code == 0; };
  ASSERT_TRUE(wait_until([&] { return begun() || !process.running(); }));
  ASSERT_TRUE(process.running());
  cache("gc --grace 0 --older-than 0 --yes");  // takes all it may
  std::set<std::string> left;
  const auto said = cache("ls");
  for (const auto& one : said.at("publications")) left.insert(one.at("stage").get<std::string>());
  EXPECT_EQ(left, std::set<std::string>{"upper"}) << "what the running stage reads";
  place.write("collected", "");
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(text_of(output_of("twice.out") / "a.txt"), "HELLO\n");
  EXPECT_EQ(cache("verify").at("bad").size(), 0u);
}

TEST_F(CacheTest, VerifyFindsADamagedByteAndRepairLetsTheNextRunMakeItAgain) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  place.write((output_of("twice.out") / "a.txt").string(), "HELLo\n");
  const Ran told = place.penstock("cache verify");
  EXPECT_EQ(told.code, 65);
  EXPECT_THAT(told.out, HasSubstr("of twice is damaged"));
  cache("verify --repair", 65);
  EXPECT_EQ(cache("verify").at("bad").size(), 0u);
  const auto states = place.states();
  EXPECT_EQ(states.at("twice"), "ran");
  EXPECT_EQ(states.at("unzip"), "hit");
  EXPECT_EQ(text_of(output_of("twice.out") / "a.txt"), "HELLO\nHELLO\n");
}

TEST_F(CacheTest, AnExportedStoreGivesHitsOnAnotherMachine) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  const auto said = cache("export pipeline.toml --to '" + (place.path() / "parcel").string() + "'");
  EXPECT_EQ(said.at("publications"), 4);
  EXPECT_EQ(place.entries("parcel/chunks"), 0u);
  EXPECT_EQ(cache("verify --store parcel").at("bad").size(), 0u);

  Workplace other(light_pipeline);
  make(other);
  ASSERT_EQ(run("cp -r '" + (place.path() / "parcel").string() + "' .", other.path()).code, 0);
  EXPECT_EQ(other.penstock("cache import parcel").code, 0);
  EXPECT_THAT(other.states(), Each(Pair(_, "hit")));
  EXPECT_THAT(other.states("--store parcel"), Each(Pair(_, "hit"))) << "what was exported is itself a store";
  EXPECT_EQ(other.published(), place.published());
}

TEST_F(CacheTest, ATargetsExportHoldsWhatItIsMadeOf) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  EXPECT_EQ(cache("export pipeline.toml twice --to parcel").at("publications"), 2);
  EXPECT_EQ(place.penstock("cache export pipeline.toml --to .penstock").code, 64);
  EXPECT_EQ(place.penstock("cache export pipeline.toml --set synthesize.count=7 synthesize --to other").code, 65);
}

TEST_F(CacheTest, ADamagedOutputIsNeverImported) {
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  cache("export pipeline.toml --to parcel");
  const auto bad = place.path() / "parcel/objects" / place.published().at("twice.out") / "files/a.txt";
  place.write(bad.string(), "damaged\n");
  const Ran ran = place.penstock("cache import parcel --store fresh");
  EXPECT_EQ(ran.code, 65);
  EXPECT_THAT(ran.out, HasSubstr("twice (out) is damaged"));
  EXPECT_EQ(place.states("--store fresh").at("twice"), "ran");
}

TEST_F(CacheTest, AStoreOfAnotherFormatIsRefusedWithTheWayToMigrate) {
  std::filesystem::create_directories(place.path() / ".penstock");
  place.write(".penstock/format-version", "1\n");
  for (const char* command : {"run pipeline.toml", "plan pipeline.toml", "cache ls"}) {
    const Ran ran = place.penstock(command);
    EXPECT_EQ(ran.code, 73) << command;
    EXPECT_THAT(ran.error, AllOf(HasSubstr(".penstock"), HasSubstr("format 1"), HasSubstr("--store DIR"))) << command;
  }
}

}  // namespace
}  // namespace penstock
