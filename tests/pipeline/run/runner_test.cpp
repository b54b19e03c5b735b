// A whole run, with threads as ranks and bodies of a few lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"

namespace penstock::pipeline {
namespace {

using testing::HasSubstr;

const std::string lines =
    "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ntext = "
    "\"alpha\\nbeta\\ngamma\\ndelta\\nepsilon\\nzeta\\neta\\ntheta\"\n[stage.reverse]\ninputs = { text = "
    "\"write.text\" }\n";

TEST(Runner, ASecondRunRunsNoBody) {
  Workshop shop(chain);
  EXPECT_EQ(shop.run().code, ExitCode::done);
  const auto before = shop.calls.count;
  const auto again = shop.run();
  EXPECT_EQ(shop.calls.count, before);
  for (const auto& [stage, ended] : again.ended) EXPECT_EQ(ended, Ending::hit) << stage;
}

TEST(Runner, AnyNumberOfRanksPublishesTheSameBytes) {
  std::map<std::string, std::string> expected;
  for (const int ranks : {1, 2, 3, 5}) {
    Workshop shop(lines);
    auto digests = shop.run({}, ranks).digests;
    digests.erase("write.note");  // volatile
    if (expected.empty()) expected = digests;
    EXPECT_EQ(digests, expected) << ranks << " ranks";
    EXPECT_GE(shop.calls.count["bucket"], 3);
  }
}

TEST(Runner, OneChangedSampleRedoesOneBucket) {
  Workshop shop(lines);
  shop.run({}, 2);
  const int before = shop.calls.count["bucket"];
  shop.run({"write.text=\"alpha\\nbeta\\ngamma\\ndelta\\nepsilon\\nzeta\\neta\\nTHETA\""}, 2);
  const int redone = shop.calls.count["bucket"] - before;
  EXPECT_GE(redone, 1);
  EXPECT_LE(redone, 2) << "the old name's bucket and the new name's";
}

TEST(Runner, AStageThatGivesTheSameBytesStopsTheRipple) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.upper]\ninputs = { text = \"write.text\" "
      "}\n[stage.sum]\ninputs = { text = \"upper.text\" }\n");
  shop.run();
  const auto outcome = shop.run({"write.text=\"HELLO\""});  // upper case of it is the same
  EXPECT_EQ(outcome.ended.at("upper"), Ending::ran);
  EXPECT_EQ(outcome.ended.at("sum"), Ending::hit);
  EXPECT_EQ(outcome.reasons.at("sum"), "same inputs as before");
  EXPECT_EQ(shop.calls.count["sum"], 1);
}

TEST(Runner, AFailureHasItsCodeItsMessageAndARecordAndStopsWhatFollows) {
  Workshop shop(chain);
  const auto outcome = shop.run({"write.fail=\"no such luck\""}, 2);
  EXPECT_EQ(outcome.code, ExitCode::data);
  EXPECT_EQ(outcome.ended.at("write"), Ending::failed);
  EXPECT_EQ(outcome.ended.at("upper"), Ending::not_reached);
  EXPECT_THAT(outcome.messages.at("write"), HasSubstr("no such luck"));
  EXPECT_TRUE(std::filesystem::is_empty(shop.path("store/staging")));
  size_t records = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::recursive_directory_iterator(shop.path("store/attempts")))
    ++records;
  EXPECT_EQ(records, 2u) << "a folder and the record in it";
  EXPECT_EQ(shop.run({}, 2).code, ExitCode::done) << "and the next run goes on";
}

TEST(Runner, AFailedBucketNamesItsSampleAndTheOthersAreKept) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ntext = "
      "\"alpha\\nbeta\\ngamma\\ndelta\\nepsilon\\nzeta\\neta\\npoison\"\n[stage.reverse]\ninputs = { text = "
      "\"write.text\" }\n");
  for (const int ranks : {1, 3}) {
    const auto outcome = shop.run({}, ranks);
    EXPECT_EQ(outcome.code, ExitCode::data);
    EXPECT_THAT(outcome.messages.at("reverse"), HasSubstr("poison: cannot be reversed"));
    EXPECT_TRUE(std::filesystem::is_empty(shop.path("store/staging")));
  }
}

TEST(Runner, TwoSamplesOfOneIdAreRefused) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ntext = \"same\\nsame\"\n[stage.reverse]\ninputs = { text = "
      "\"write.text\" }\n");
  const auto outcome = shop.run({}, 2);
  EXPECT_EQ(outcome.code, ExitCode::data);
  EXPECT_THAT(outcome.messages.at("reverse"), HasSubstr("'same'"));
}

TEST(Runner, AnInterruptionEndsWith75OnEveryRank) {
  Workshop shop(lines);
  shop.interrupted = true;
  EXPECT_EQ(shop.run({}, 2).code, ExitCode::interrupted);
  shop.interrupted = false;
  EXPECT_EQ(shop.run({}, 2).code, ExitCode::done);
}

TEST(Runner, ADamagedStoredOutputIsMadeAgainBeforeItIsUsed) {
  Workshop shop(chain);
  const auto first = shop.run();
  write_file(shop.path("store/objects") / first.digests.at("write.text") / "files/text.txt", "damaged\n");
  const auto outcome = shop.run({"upper.repeat=2"});
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(outcome.digests.at("upper.text"), first.digests.at("upper.text")) << "made from the true bytes";
  EXPECT_EQ(shop.calls.count["write"], 2);
}

// A stage kind without inputs whose body does `harm`.
StageKind vandal(std::function<void()> harm) {
  StageKind kind;
  kind.name = "vandal";
  kind.summary = "does harm";
  kind.outputs = {{.name = "nothing", .help = "nothing"}};
  kind.body = [harm] { return body_of([harm](StageContext&) { harm(); }); };
  return kind;
}

TEST(Runner, AHitWhoseObjectVanishesBetweenPlanAndUseIsMadeAgain) {
  Workshop shop(std::string(chain) +
                "[stage.vandal]\nneeds = [\"upper\"]\n[stage.late]\nuses = \"upper\"\nrepeat = 3\ninputs = { text = "
                "\"write.text\" }\nneeds = [\"vandal\"]\n");
  std::string object;
  shop.kinds.push_back(vandal([&] { std::filesystem::remove_all(shop.path("store/objects") / object); }));
  Selection first;
  first.targets = {"write"};
  object = shop.run({}, 1, first).digests.at("write.text");
  const auto outcome = shop.run();  // write is a hit, upper reads its object, then the object is gone
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(outcome.ended.at("late"), Ending::ran);
  EXPECT_EQ(outcome.ended.at("write"), Ending::ran) << "a second time";
  EXPECT_EQ(outcome.digests.at("write.text"), object);
}

TEST(Runner, APartThatCannotBeStagedFailsTheStageAndNotTheProgram) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.hinder]\ninputs = { text = \"write.text\" }\n");
  StageKind hinder = shop.kinds.at(2);  // reverse, in a store that loses its staging folder while the stage runs
  hinder.name = "hinder";
  hinder.body = [&shop] {
    const auto staging = shop.path("store/staging");
    std::filesystem::remove_all(staging);
    std::ofstream(staging) << "in the way";
    return std::make_unique<ReverseBody>(shop.calls);
  };
  shop.kinds.push_back(hinder);
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.code, ExitCode::cannot_create);
  EXPECT_THAT(outcome.messages.at("hinder"), HasSubstr("store/staging/chunk-"));
}

TEST(Runner, AStoreThatCannotBeClaimedFailsTheStageWithThePath) {
  Workshop shop(chain);
  Store(shop.path("store"), Store::Mode::read_write);
  std::filesystem::remove_all(shop.path("store/leases"));
  const auto outcome = shop.run({}, 2);
  EXPECT_EQ(outcome.code, ExitCode::cannot_create);
  EXPECT_THAT(outcome.messages.at("write"), HasSubstr("store/leases/"));
}

TEST(Runner, ARunTouchesAllThatItsTargetsAreMadeOf) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\ntargets = [\"upper\"]\n[stage.write]\n[stage.upper]\ninputs = { text = "
      "\"write.text\" }\n");
  shop.run();
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(48);
  for (const auto& key : std::filesystem::directory_iterator(shop.path("store/actions")))
    std::filesystem::last_write_time(key.path(), old);
  EXPECT_EQ(shop.run().ended.at("upper"), Ending::hit);
  for (const auto& key : std::filesystem::directory_iterator(shop.path("store/actions"))) {
    EXPECT_GT(std::filesystem::last_write_time(key.path()), old) << "the upstream of a hit is in use as well";
  }
}

// A stage that gives other bytes each time, while another run publishes the same stage.
TEST(Runner, AnOutputThatDiffersFromWhatWasPublishedMeanwhileIsRecorded) {
  Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.vary]\n");
  StageKind vary = shop.kinds.at(0);
  vary.name = "vary";
  vary.inputs.clear();
  int runs = 0;
  vary.body = [&] {
    return body_of([&](StageContext& context) {
      const int mine = ++runs;
      if (mine == 1) shop.run();  // the other run, which takes no lease
      write_file(context.output("text") / "text.txt", std::to_string(mine));
      write_file(context.output("note") / "note.txt", "");
    });
  };
  shop.kinds.push_back(vary);
  shop.use_leases = false;
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.code, ExitCode::done);
  EXPECT_EQ(runs, 2);
  const auto records = std::filesystem::directory_iterator(shop.path("store/nondeterminism"));
  ASSERT_NE(records, std::filesystem::directory_iterator());
  const Value record = Value::parse(read_file(records->path()));
  EXPECT_EQ(record.at("stage"), "vary");
  EXPECT_EQ(record.at("ports").size(), 1u) << "the volatile one may differ";
  EXPECT_EQ(record.at("ports").at("text").at(0), outcome.digests.at("vary.text"));
  EXPECT_EQ(shop.run().digests, outcome.digests) << "what was published first stays";
}

TEST(Runner, ARefusingVerdictStopsWhatWaitsForItOnEveryRun) {
  const std::string config =
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.check]\ninputs = { text = \"write.text\" "
      "}\n[stage.upper]\ninputs = { text = \"write.text\" }\nneeds = [\"check\"]\n";
  Workshop shop(config);
  for (int time = 0; time < 2; ++time) {
    const auto outcome = shop.run({"write.text=\"a bad one\""});
    EXPECT_EQ(outcome.code, ExitCode::data);
    EXPECT_THAT(outcome.messages.at("check"), HasSubstr("line: is bad"));
    EXPECT_EQ(outcome.ended.at("upper"), Ending::not_reached);
  }
  EXPECT_EQ(shop.calls.count["check"], 1) << "the second time from the store";
  EXPECT_EQ(shop.run().code, ExitCode::done);
}

TEST(Runner, ForcingMakesTheSameObjectsAndLeavesTheRestCached) {
  Workshop shop(chain);
  const auto first = shop.run();
  Selection selection;
  selection.forced = {"write"};
  const auto forced = shop.run({}, 1, selection);
  EXPECT_EQ(forced.ended.at("write"), Ending::ran);
  EXPECT_EQ(forced.ended.at("upper"), Ending::hit);
  EXPECT_EQ(forced.digests.at("write.text"), first.digests.at("write.text"));
}

TEST(Runner, EveryRankTakesPartInAStageOfAllRanks) {
  Workshop shop(
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\n[stage.sum]\ninputs = { text = \"write.text\" }\n");
  EXPECT_EQ(shop.run({}, 3).code, ExitCode::done);
  EXPECT_EQ(shop.calls.count["sum"], 3);
}

TEST(Runner, AMissingInputIsThrownOnEveryRank) {
  Workshop shop("schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ninputs = { extra = \"file:nowhere\" }\n");
  EXPECT_THROW(shop.run({}, 2), Error);
}

TEST(Runner, TheLineageIsForKindsThatReadIt) {
  std::map<std::string, std::string> seen;
  Workshop shop(chain);
  for (StageKind& kind : shop.kinds) {
    if (kind.name != "write" && kind.name != "upper") continue;
    kind.reads_lineage = kind.name == "upper";
    kind.body = [body = kind.body, &seen] {
      return body_of([body, &seen](StageContext& context) {
        seen[context.stage] = context.lineage;
        body()->run(context);
      });
    };
  }
  EXPECT_EQ(shop.run().code, ExitCode::done);
  EXPECT_EQ(seen.at("write"), "");
  EXPECT_EQ(Value::parse(seen.at("upper")).at("stages").at(0).at("state"), "ran");
}

TEST(Runner, TheLineageTellsStatesParametersAndAttempts) {
  Workshop shop(chain);
  shop.run();
  const Value lineage = Value::parse(shop.last_lineage);
  ASSERT_EQ(lineage.at("stages").size(), 3u);
  const Value& write = lineage.at("stages").at(0);
  EXPECT_EQ(write.at("state"), "ran");
  EXPECT_EQ(write.at("parameters").at("text"), "hello");
  EXPECT_EQ(write.at("attempts").size(), 1u);
}

}  // namespace
}  // namespace penstock::pipeline
