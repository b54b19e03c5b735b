// What a clean-up takes, and above all what it leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "pipeline/fake_stages.h"
#include "pipeline/store/lease.h"
#include "pipeline/store/store_gc.h"
#include "pipeline/store/store_pins.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::Each;
using testing::IsEmpty;
using testing::Not;

const std::string lines =
    "schema = 1\n[pipeline]\nname = \"x\"\n[stage.write]\ntext = "
    "\"alpha\\nbeta\\ngamma\\ndelta\\nepsilon\\nzeta\\neta\\ntheta\"\n"
    "[stage.upper]\ninputs = { text = \"write.text\" }\n[stage.reverse]\ninputs = { text = \"write.text\" }\n";

// A workshop whose store can be made old and cleaned.
class GcTest : public testing::Test {
 protected:
  Workshop shop{lines};
  Store store{shop.path("store"), Store::Mode::read_write};

  // Everything in the store looks as if it had last been touched that long ago.
  // Beside clean-ups too: what is gone by then is passed over, and leases, which they hold, keep their times.
  void age(std::chrono::hours hours) const {
    const auto then = fs::file_time_type::clock::now() - hours;
    std::error_code gone;
    for (fs::recursive_directory_iterator entry(store.root(), gone), end; !gone && entry != end;
         entry.increment(gone)) {
      if (entry->path().filename() == "leases") entry.disable_recursion_pending();
      std::error_code ignored;
      fs::last_write_time(entry->path(), then, ignored);
    }
  }
  Collection plan(const CollectionRequest& request = {}) const {
    return plan_collection(store, take_inventory(store, 2), request);
  }
  Collection clean(const CollectionRequest& request = {}) const { return collect(store, plan(request)); }
  CollectionRequest unused(int days) const {
    CollectionRequest request;
    request.older_than = std::chrono::hours(24 * days);
    return request;
  }
  Digest action_of(const std::string& stage) const {
    for (const StoredPublication& one : publications_of(store, 1)) {
      if (one.stage == stage) return one.publication.action;
    }
    return {};
  }
  size_t count(const std::string& table) const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(store.root() / table), fs::directory_iterator()));
  }
  // No key names what is not there.
  bool is_consistent() const {
    for (const char* table : {"actions", "recipes"}) {
      for (const auto& entry : fs::directory_iterator(store.root() / table)) {
        const auto publication = Publication::from_text(read_file(entry.path()));
        if (!publication) return false;
        for (const PublishedPort& port : publication->ports) {
          if (!fs::exists(store.object(port.digest) / "list.json")) return false;
        }
      }
    }
    return true;
  }
};

std::vector<std::string> kinds_of(const Collection& collection) {
  std::vector<std::string> kinds;
  for (const Condemned& one : collection.condemned) kinds.push_back(name_of(one.kind));
  return kinds;
}

TEST_F(GcTest, NothingYoungerThanTheGraceIsTaken) {
  shop.run();
  CollectionRequest everything = unused(0);
  everything.max_bytes = 0;
  EXPECT_THAT(plan(everything).condemned, IsEmpty());
}

TEST_F(GcTest, APlanChangesNothing) {
  shop.run();
  age(std::chrono::hours(1000));
  EXPECT_THAT(plan(unused(1)).condemned, Not(IsEmpty()));
  EXPECT_EQ(count("actions"), 3u);
  EXPECT_EQ(shop.run().ended.at("upper"), Ending::hit);
}

TEST_F(GcTest, WithoutLimitsPublicationsStayHoweverOld) {
  const auto before = shop.run().digests;
  age(std::chrono::hours(10'000));
  EXPECT_THAT(kinds_of(clean()), Each(testing::AnyOf("progress", "chunk")));
  const auto after = shop.run();
  EXPECT_EQ(after.digests, before);
  EXPECT_THAT(after.ended, Each(testing::Pair(testing::_, Ending::hit)));
}

TEST_F(GcTest, AnObjectThatNoKeyNamesGoes) {
  shop.run();
  fs::remove(store.root() / "actions" / action_of("upper").hex());
  age(std::chrono::hours(48));
  const auto gone = clean();
  EXPECT_THAT(kinds_of(gone), Contains("object"));
  EXPECT_THAT(kinds_of(gone), Contains("key")) << "its recipe names nothing any more";
  EXPECT_TRUE(is_consistent());
  EXPECT_EQ(shop.run().ended.at("write"), Ending::hit);
}

TEST_F(GcTest, WhatAForcedRunReplacedGoes) {
  shop.kinds.at(1).body = [this] {
    return body_of([this](StageContext& context) {
      write_file(context.output("text") / "text.txt", std::to_string(++shop.calls.count["other"]));
    });
  };
  shop.run();
  Selection forced;
  forced.forced = {"upper"};
  shop.run({}, 1, forced);
  EXPECT_EQ(count("manifests/upper"), 2u);
  const size_t objects = count("objects");
  age(std::chrono::hours(48));
  clean();
  EXPECT_EQ(count("manifests/upper"), 1u);
  EXPECT_EQ(count("objects"), objects - 1);
  EXPECT_THAT(shop.run().ended, Each(testing::Pair(testing::_, Ending::hit)));
}

TEST_F(GcTest, WhatWasNotUsedForLongGoesWithAllThatIsOnlyItsOwn) {
  shop.run();
  age(std::chrono::hours(24 * 40));
  Selection upper;
  upper.targets = {"upper"};
  shop.run({"upper.repeat=2"}, 1, upper);  // uses write, and publishes another upper
  const size_t objects = count("objects");
  clean(unused(30));
  EXPECT_EQ(count("actions"), 2u) << "write and the new upper";
  EXPECT_EQ(count("manifests/upper"), 1u);
  EXPECT_LT(count("objects"), objects);
  EXPECT_EQ(count("chunks"), 0u);
  EXPECT_EQ(count("buckets"), 0u);
  EXPECT_TRUE(is_consistent());
  EXPECT_EQ(shop.run({"upper.repeat=2"}, 1, upper).ended.at("upper"), Ending::hit);
  EXPECT_EQ(shop.run().code, ExitCode::done) << "and what went is made again";
}

TEST_F(GcTest, WhatAConfigurationKeepsStays) {
  shop.run();
  age(std::chrono::hours(24 * 40));
  CollectionRequest request = unused(30);
  request.max_bytes = 0;
  request.keep = {action_of("write"), action_of("reverse")};
  clean(request);
  const auto ended = shop.run().ended;
  EXPECT_EQ(ended.at("write"), Ending::hit);
  EXPECT_EQ(ended.at("reverse"), Ending::hit);
  EXPECT_EQ(ended.at("upper"), Ending::ran);
  EXPECT_GE(count("chunks"), 3u) << "its parts as well";
}

TEST_F(GcTest, APinnedPublicationStaysUntilItIsUnpinned) {
  shop.run();
  pin(store, action_of("upper"), "upper");
  age(std::chrono::hours(24 * 40));
  clean(unused(30));
  EXPECT_EQ(count("actions"), 1u);
  EXPECT_TRUE(unpin(store, action_of("upper")));
  EXPECT_FALSE(unpin(store, action_of("upper")));
  clean(unused(30));
  EXPECT_EQ(count("actions"), 0u);
  EXPECT_EQ(count("objects"), 0u);
}

TEST_F(GcTest, ALeasedPublicationStays) {
  shop.run();
  const auto lease = Leases(store.root() / "leases").take(action_of("upper"), "upper", nullptr);
  ASSERT_TRUE(lease);
  age(std::chrono::hours(24 * 40));
  clean(unused(30));
  EXPECT_EQ(count("actions"), 1u);
  EXPECT_EQ(count("leases"), 1u);
}

TEST_F(GcTest, TheLeastRecentlyUsedGoUntilTheStoreFits) {
  shop.run();
  age(std::chrono::hours(24 * 40));
  const auto recently = fs::file_time_type::clock::now() - std::chrono::hours(30);
  for (const char* stage : {"write", "reverse"})
    fs::last_write_time(store.root() / "actions" / action_of(stage).hex(), recently);
  CollectionRequest request;
  request.max_bytes = Room(take_inventory(store, 1)).bytes() - 1;
  const auto gone = clean(request);
  EXPECT_EQ(count("actions"), 2u);
  EXPECT_EQ(shop.run().ended.at("write"), Ending::hit);
  EXPECT_GT(gone.freed(), 0u);
  EXPECT_EQ(Room(take_inventory(store, 1)).bytes() > 0, true);
}

TEST_F(GcTest, WhatIsFreedIsWhatTheStoreShrinksBy) {
  shop.run();
  age(std::chrono::hours(24 * 40));
  const uint64_t before = Room(take_inventory(store, 1)).bytes();
  const auto gone = clean(unused(30));
  EXPECT_EQ(gone.bytes, before);
  EXPECT_EQ(before - gone.freed(), Room(take_inventory(store, 1)).bytes());
}

TEST_F(GcTest, WhatARunningStageMakesAndReadsStays) {
  const auto digests = shop.run().digests;
  const auto object = Digest::from_hex(digests.at("write.text"));
  const Digest running = digest_of("a stage that runs");
  const auto staging = store.make_staging(running, {"out"}, {object});
  write_file(store.progress(running) / "checkpoint", "of last month");
  age(std::chrono::hours(24 * 40));
  CollectionRequest request = unused(0);
  request.max_bytes = 0;
  clean(request);
  EXPECT_TRUE(fs::exists(staging));
  EXPECT_TRUE(fs::exists(store.object(object)));
  EXPECT_EQ(count("actions"), 1u) << "and the key of what it reads";
  EXPECT_TRUE(store.has_progress(running));
  EXPECT_TRUE(is_consistent());
}

TEST_F(GcTest, WhatADeadProcessLeftBehindGoesAtOnce) {
  shop.run();
  const pid_t child = fork();
  if (child == 0) {
    store.make_staging(digest_of("killed"), {"out"}, {digest_of("read")});
    Leases(store.root() / "leases").take(digest_of("killed"), "killed", nullptr).release();
    _exit(0);
  }
  waitpid(child, nullptr, 0);
  EXPECT_EQ(count("staging"), 2u);
  EXPECT_THAT(kinds_of(clean()), testing::UnorderedElementsAre("staging", "staging", "lease"));
  EXPECT_EQ(count("staging"), 0u);
  EXPECT_EQ(count("leases"), 0u);
}

TEST_F(GcTest, WhatAnotherMachineLeftBehindGoesWhenItStoodStillForTheGrace) {
  shop.run();
  const fs::path theirs = store.root() / "staging" / (digest_of("theirs").hex() + ".0badb007-1-2-3-00000001.1");
  fs::create_directories(theirs / "out");
  EXPECT_THAT(clean().condemned, IsEmpty());
  age(std::chrono::hours(30));
  EXPECT_THAT(kinds_of(clean()), Contains("staging"));
  EXPECT_FALSE(fs::exists(theirs));
}

class UnclosedWork final : public ReverseWork {
 public:
  using ReverseWork::ReverseWork;
  std::string finish(int, const std::vector<Chunk>&) override { throw Error(ExitCode::data, "cannot be closed"); }
};
class UnclosedBody final : public StageBody {
 public:
  explicit UnclosedBody(Calls& calls) : calls_(calls) {}
  std::unique_ptr<SharedWork> share(StageContext& context) override {
    return std::make_unique<UnclosedWork>(context, calls_);
  }

 private:
  Calls& calls_;
};

TEST_F(GcTest, UnfinishedWorkAndItsPartsStayUntilTheyAreOld) {
  shop.kinds.at(2).body = [this] { return std::make_unique<UnclosedBody>(shop.calls); };
  EXPECT_EQ(shop.run().ended.at("reverse"), Ending::failed);
  const size_t parts = count("chunks");
  ASSERT_GE(parts, 2u);
  age(std::chrono::hours(48));
  clean();
  EXPECT_EQ(count("chunks"), parts) << "a killed or failed stage goes on from them";
  age(std::chrono::hours(24 * 40));
  EXPECT_THAT(kinds_of(clean(unused(30))), Contains("unfinished"));
  EXPECT_EQ(count("chunks"), 0u);
}

TEST_F(GcTest, APartWhoseBytesLieInAnOutputStaysWithIt) {
  shop.run();
  const size_t parts = count("chunks");
  age(std::chrono::hours(48));
  clean();
  EXPECT_EQ(count("chunks"), parts) << "they cost nothing";
  for (const auto& chunk : fs::directory_iterator(store.root() / "chunks")) {  // as where links cannot be made
    const std::string text = read_file(chunk.path() / "files/lines.txt");
    fs::remove(chunk.path() / "files/lines.txt");
    write_file(chunk.path() / "files/lines.txt", text);
  }
  age(std::chrono::hours(48));
  clean();
  EXPECT_EQ(count("chunks"), 0u);
}

TEST_F(GcTest, WhatIsUsedWhileTheCleanUpThinksStays) {
  shop.run();
  age(std::chrono::hours(24 * 40));
  const auto decided = plan(unused(30));
  shop.run();  // touches all three
  collect(store, decided);
  EXPECT_EQ(count("actions"), 3u);
  EXPECT_TRUE(is_consistent());
  EXPECT_THAT(shop.run().ended, Each(testing::Pair(testing::_, Ending::hit)));
}

TEST_F(GcTest, AnObjectThatANewKeyNamesSinceStays) {
  shop.run();
  const auto publication = store.find_action(action_of("upper"));
  const auto manifest = store.manifest(*publication);
  for (const char* table : {"actions", "recipes"}) {
    for (const auto& key : fs::directory_iterator(store.root() / table)) {
      if (read_file(key.path()).starts_with("upper")) fs::remove(key.path());
    }
  }
  age(std::chrono::hours(24 * 40));
  const auto decided = plan();
  EXPECT_THAT(kinds_of(decided), Contains("object"));
  store.publish({*manifest, std::nullopt, false});
  collect(store, decided);
  EXPECT_TRUE(store.find_action(publication->action));
}

TEST_F(GcTest, AKeyWhoseOutputIsGoneGoes) {
  shop.run();
  fs::remove_all(store.object(store.find_action(action_of("upper"))->ports.front().digest));
  age(std::chrono::hours(48));
  EXPECT_FALSE(is_consistent());
  clean();
  EXPECT_TRUE(is_consistent());
  EXPECT_EQ(count("actions"), 2u);
}

// Runs and two clean-ups that take all they may, over and over: what is in use is younger than their hour of grace,
// however slow the machine is, and what was made before is days old after every fourth run.
TEST_F(GcTest, RunsBesideCleanUpsEndWellWithTheSameBytes) {
  const auto expected = shop.run().digests.at("upper.text");
  std::atomic<bool> done{false};
  std::vector<std::thread> cleaners;
  for (int i = 0; i < 2; ++i) {
    cleaners.emplace_back([&] {
      CollectionRequest request;
      request.grace = std::chrono::hours(1);
      request.older_than = std::chrono::hours(1);
      while (!done) collect(store, plan_collection(store, take_inventory(store, 1), request));
    });
  }
  for (int round = 0; round < 12; ++round) {
    if (round % 4 == 3) age(std::chrono::hours(48));
    const auto outcome = shop.run({}, 2);
    EXPECT_EQ(outcome.code, ExitCode::done);
    EXPECT_EQ(outcome.digests.at("upper.text"), expected);
  }
  done = true;
  for (std::thread& cleaner : cleaners) cleaner.join();
  EXPECT_TRUE(is_consistent());
}

}  // namespace
}  // namespace penstock::pipeline
