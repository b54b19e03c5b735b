// Wrong reuse and needless work: whatever may change the output runs again and is named, whatever may not does nothing.
// Bodies run for real here; that every field of the real kinds' keys is named is in tests/stages/key_fields_test.cpp.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pipeline/fake_stages.h"
#include "pipeline/plan/explain.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct JoinParameters {
  std::string first = "ab", second = "c";
  std::vector<std::string> words = {"x", "y"};
  int64_t unseen = 1;
  void describe(ParameterVisitor& visit) {
    visit("first", first, {.help = "a word"});
    visit("second", second, {.help = "another"});
    visit("words", words, {.help = "more"});
    visit("unseen", unseen, {.help = "changes nothing", .affects_output = false});
  }
};

std::string tree_text(const fs::path& folder) {
  std::string text;
  for (const FileEntry& entry : list_tree(folder)) text += entry.path + ": " + read_file(folder / entry.path);
  return text;
}

// join: a folder, two files and three parameters into one text; its environment is PENSTOCK_TEST_JOIN.
class Mutation : public testing::Test {
 protected:
  Mutation() {
    write_file(path("folder/deep/er.txt"), "nested\n");
    write_file(path("left.txt"), "left\n");
    write_file(path("right.txt"), "rite\n");
    StageKind join;
    join.name = "join";
    join.summary = "joins";
    join.inputs = {{.name = "folder", .help = "a folder"},
                   {.name = "left", .help = "a file"},
                   {.name = "right", .help = "a file"}};
    join.outputs = {{.name = "out", .help = "out.txt"}};
    join.parameters = specifications_of<JoinParameters>();
    join.environment = [](const Values&) {
      const char* value = std::getenv("PENSTOCK_TEST_JOIN");
      return std::map<std::string, std::string>{{"variable", value ? value : ""}};
    };
    join.body = [this] { return body_of([this](StageContext& context) { run_join(context); }); };
    shop.kinds.push_back(join);
    first = shop.run();
    EXPECT_EQ(first.code, ExitCode::done);
  }
  ~Mutation() override { unsetenv("PENSTOCK_TEST_JOIN"); }

  void run_join(StageContext& context) {
    ++runs;
    const auto parameters = read_parameters<JoinParameters>(context.values);
    const std::string text = tree_text(context.input("folder")) + read_file(context.input("left")) + "|" +
                             read_file(context.input("right")) + parameters.first + "/" + parameters.second;
    if (while_it_runs) while_it_runs();
    write_file(context.output("out") / "out.txt", text);
  }
  fs::path path(const std::string& name) const { return shop.path(name); }
  StageKind& join() { return shop.kinds.back(); }

  // The fields that explain names, now.
  std::vector<std::string> named(const std::vector<std::string>& sets = {}) const {
    const Graph graph = shop.load(sets).graph;
    const Store store(graph.store, Store::Mode::read_only);
    StatCache inputs(path("cache"));
    const Plan plan = make_plan(graph, {}, store, inputs);
    std::vector<std::string> fields;
    for (const Difference& one : Explainer(graph, plan, store).why(0).differences) fields.push_back(one.field);
    return fields;
  }
  // It ran once more, and explain had named these.
  void expect_remade(const std::vector<std::string>& fields, const std::vector<std::string>& sets = {}) {
    EXPECT_EQ(named(sets), fields);
    const int before = runs;
    EXPECT_EQ(shop.run(sets).code, ExitCode::done);
    EXPECT_EQ(runs, before + 1);
  }
  void expect_reused(const std::vector<std::string>& sets = {}, int ranks = 1) {
    EXPECT_THAT(named(sets), testing::IsEmpty());
    const int before = runs;
    EXPECT_EQ(shop.run(sets, ranks).code, ExitCode::done);
    EXPECT_EQ(runs, before);
  }

  const std::string config =
      "schema = 1\n[pipeline]\nname = \"x\"\n[stage.join]\ninputs = { folder = \"file:folder\", left = "
      "\"file:left.txt\", right = \"file:right.txt\" }\n";
  Workshop shop{config};
  int runs = 0;
  std::function<void()> while_it_runs;
  Workshop::Outcome first;
};

// ---- what must run again ----

TEST_F(Mutation, AnEditDeepInAFolder) {
  const auto before = fs::last_write_time(path("folder"));
  std::ofstream(path("folder/deep/er.txt")) << "edited\n";
  ASSERT_EQ(fs::last_write_time(path("folder")), before) << "the folder's own time does not see it";
  expect_remade({"input folder"});
}

TEST_F(Mutation, AFileAddedOrRenamedDeepInAFolder) {
  std::ofstream(path("folder/deep/new.txt")) << "";
  expect_remade({"input folder"});
  fs::rename(path("folder/deep/new.txt"), path("folder/deep/newer.txt"));
  expect_remade({"input folder"});
}

TEST_F(Mutation, ASameSizeRewriteInPlaceWithItsTimePutBack) {
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2100));  // older than the grain of times, so that its digest is remembered
  expect_reused();
  struct stat status = {};
  ASSERT_EQ(stat(path("left.txt").c_str(), &status), 0);
  const int file = open(path("left.txt").c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(file, "LEFT", 4, 0), 4);
  const timespec times[2] = {status.st_atim, status.st_mtim};
  futimens(file, times);
  close(file);
  expect_remade({"input left"});
}

TEST_F(Mutation, TheInputsOfTwoPortsSwapped) {
  shop.write("pipeline.toml",
             "schema = 1\n[pipeline]\nname = \"x\"\n[stage.join]\ninputs = { folder = \"file:folder\", left = "
             "\"file:right.txt\", right = \"file:left.txt\" }\n");
  expect_remade({"input left", "input right"});
}

TEST_F(Mutation, ANewVersionOfTheStage) {
  ++join().version;
  expect_remade({"version"});
}

TEST_F(Mutation, AChangedDefault) {
  join().parameters.at(1).fallback = "d";
  expect_remade({"parameter second"});
}

TEST_F(Mutation, AParameterThatDidNotExistBeforeUnlessItMeansAsBefore) {
  Specification added{"added", Type::integer, 7, {.help = "new"}};
  added.about.as_before = 7;
  join().parameters.push_back(added);
  expect_reused();
  expect_remade({"parameter added"}, {"join.added=8"});
  join().parameters.back().about.as_before.reset();
  expect_remade({"parameter added"}, {"join.added=7"});
}

TEST_F(Mutation, TheSameLettersDividedOtherwise) {
  expect_remade({"parameter first", "parameter second"}, {"join.first=\"a\"", "join.second=\"bc\""});
  expect_remade({"parameter words"}, {"join.words=[\"xy\"]"});
  expect_remade({"parameter words"}, {"join.words=[\"x\", \"y\", \"\"]"});
}

TEST_F(Mutation, ADeclaredVariableOfTheEnvironment) {
  setenv("PENSTOCK_TEST_JOIN", "other", 1);
  expect_remade({"environment variable"});
}

TEST_F(Mutation, AnInputEditedWhileTheStageReadsItPublishesNothing) {
  while_it_runs = [this] { std::ofstream(path("left.txt")) << "edited meanwhile"; };
  std::ofstream(path("right.txt")) << "another";
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.code, ExitCode::data);
  EXPECT_THAT(outcome.messages.at("join"), testing::AllOf(HasSubstr("left.txt"), HasSubstr("changed while")));
  size_t published = 0;
  for ([[maybe_unused]] const auto& key : fs::directory_iterator(path("store/actions"))) ++published;
  EXPECT_EQ(published, 1u) << "the first run's";
  EXPECT_TRUE(fs::is_empty(path("store/staging")));
  while_it_runs = nullptr;
  expect_remade({"input left", "input right"});
}

TEST_F(Mutation, AnInputEditedWithItsTimePutBackWhileTheStageReadsIt) {
  while_it_runs = [this] {
    struct stat status = {};
    stat(path("left.txt").c_str(), &status);
    std::ofstream(path("left.txt")) << "LEFT\n";
    const timespec times[2] = {status.st_atim, status.st_mtim};
    utimensat(AT_FDCWD, path("left.txt").c_str(), times, 0);
  };
  EXPECT_EQ(shop.run({"join.first=\"other\""}).code, ExitCode::data);
}

// ---- what must not ----

TEST_F(Mutation, ATouchRunsNothing) {
  for (const char* name : {"left.txt", "folder/deep/er.txt"})
    fs::last_write_time(path(name), fs::file_time_type::clock::now());
  expect_reused();
}

TEST_F(Mutation, CopiesAtOtherPathsRunNothing) {
  fs::create_directory(path("elsewhere"));
  fs::copy(path("folder"), path("elsewhere/folder copied"), fs::copy_options::recursive);
  fs::copy_file(path("left.txt"), path("elsewhere/l"));
  shop.write("pipeline.toml",
             "schema = 1\n[pipeline]\nname = \"x\"\n[stage.join]\ninputs = { folder = \"file:elsewhere/folder "
             "copied\", left = \"file:elsewhere/l\", right = \"file:right.txt\" }\n");
  expect_reused();
}

TEST_F(Mutation, CommentsAndTheOrderOfKeysRunNothing) {
  shop.write(
      "pipeline.toml",
      "# a comment\nschema = 1\n[stage.join] # more\ninputs = { right = \"file:right.txt\", left = \"file:left.txt\", "
      "folder = \"file:folder\" }\nsecond = \"c\"\nfirst = 'ab'\n\n[pipeline]\nname = \"x\"\n");
  expect_reused();
}

TEST_F(Mutation, ANewNameOfStageAndPipelineRunsNothing) {
  shop.write("pipeline.toml",
             "schema = 1\n[pipeline]\nname = \"another\"\n[stage.renamed]\nuses = \"join\"\ninputs = { folder = "
             "\"file:folder\", left = \"file:left.txt\", right = \"file:right.txt\" }\n");
  expect_reused();
}

TEST_F(Mutation, OtherRanksAndWhatAffectsNoOutputRunNothing) {
  expect_reused({}, 3);
  expect_reused({"join.unseen=5"});
}

TEST_F(Mutation, WhatAStageNeedsAndHowItIsRunIsInNoKey) {
  shop.write(
      "pipeline.toml",
      config +
          "retries = 2\nresume = false\ngate = false\nresources = { ranks = 2 }\nneeds = [\"write\"]\n[stage.write]\n");
  const int before = runs;
  EXPECT_EQ(shop.run().ended.at("join"), Ending::hit);
  EXPECT_EQ(runs, before);
}

TEST_F(Mutation, AnEditThatIsTakenBackRunsNothing) {
  std::ofstream(path("left.txt")) << "other\n";
  expect_remade({"input left"});
  std::ofstream(path("left.txt")) << "left\n";
  expect_reused();
}

}  // namespace
}  // namespace penstock::pipeline
