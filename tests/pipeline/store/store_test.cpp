// Outputs by content: what is published, what is not, and what a damaged disk does.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/store/store.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

Digest key(const std::string& text) { return digest_of(text); }

const KeyFields fields = {{{"kind", "write"}}};
const Digest action = fields.key();

Publication publish(Store& store, const std::string& content, Committed* outcome = nullptr, bool replace = false,
                    const std::string& note = "") {
  const auto staging = store.make_staging(action, {"out", "note"});
  write_file(staging / "out" / "file.txt", content);
  write_file(staging / "note" / "note.txt", note);
  const Manifest draft{"stage", fields, {{"out", {}, false}, {"note", {}, true}}};
  const PublishResult result = store.commit(staging, {draft, key("recipe"), replace});
  if (outcome != nullptr) *outcome = result.committed;
  return *result.publication;
}

TEST(Store, APublishedOutputIsFoundByBothKeysWithItsBytes) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  publish(store, "content");
  for (const auto& found : {store.find_recipe(key("recipe")), store.find_action(action)}) {
    ASSERT_TRUE(found);
    EXPECT_EQ(read_file(store.object_files(found->port("out")->digest) / "file.txt"), "content");
  }
  EXPECT_TRUE(fs::is_empty(folder.path() / "store/staging"));
}

TEST(Store, TheSameBytesAgainAreTheSameObject) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto first = publish(store, "content");
  Committed outcome;
  const auto second = publish(store, "content", &outcome, false, "another note");
  EXPECT_EQ(outcome, Committed::same) << "a volatile port may differ";
  EXPECT_EQ(first.port("out")->digest, second.port("out")->digest);
}

TEST(Store, OfTwoDifferentOutputsThePublishedOneStaysUnlessReplaced) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto first = publish(store, "one");
  Committed outcome;
  EXPECT_EQ(publish(store, "two", &outcome).port("out")->digest, first.port("out")->digest);
  EXPECT_EQ(outcome, Committed::different);
  const auto replaced = publish(store, "two", &outcome, true);
  EXPECT_NE(replaced.port("out")->digest, first.port("out")->digest);
  EXPECT_EQ(store.find_action(action)->port("out")->digest, replaced.port("out")->digest);
}

TEST(Store, ADamagedObjectIsFoundOutMovedAsideAndMadeAgain) {
  TemporaryFolder folder;
  const auto digest = [&] {
    Store store(folder.path() / "store", Store::Mode::read_write);
    return publish(store, "content").port("out")->digest;
  }();
  Store store(folder.path() / "store", Store::Mode::read_write);
  write_file(store.object_files(digest) / "file.txt", "CONTENT");
  EXPECT_FALSE(store.verify(digest));
  EXPECT_FALSE(store.find_action(action));
  publish(store, "content");
  EXPECT_TRUE(store.verify(digest));
  EXPECT_TRUE(store.find_action(action));
}

TEST(Store, AKeyWhoseObjectIsGoneIsAbsent) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto digest = publish(store, "content").port("out")->digest;
  fs::remove_all(folder.path() / "store/objects" / digest.hex());
  EXPECT_FALSE(store.find_recipe(key("recipe")));
}

// The clean-up may take what was published an hour ago and not used since.
TEST(Store, AnObjectThatVanishedAfterItWasVerifiedIsMissing) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto digest = publish(store, "content").port("out")->digest;
  ASSERT_TRUE(store.verify(digest));
  fs::remove_all(store.object(digest));
  EXPECT_FALSE(store.verify(digest));
}

TEST(Store, AnOldObjectThatIsPublishedAgainCountsAsUsed) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto digest = publish(store, "content").port("out")->digest;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(48);
  fs::last_write_time(store.object(digest), old);
  publish(store, "content");
  EXPECT_GT(fs::last_write_time(store.object(digest)), old);
}

TEST(Store, StagingTellsWhatIsReadForItAndLeavesNothingBehind) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto staging = store.make_staging(action, {"out"}, {key("input")});
  EXPECT_EQ(read_file(staging.string() + ".reads"), key("input").hex() + "\n");
  store.remove_staging(staging);
  EXPECT_TRUE(fs::is_empty(folder.path() / "store/staging"));
}

TEST(Store, ADamagedChunkIsAbsent) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto staging = store.make_chunk_staging(key("chunk"));
  write_file(staging / "part", "bytes");
  const auto chunk = store.publish_chunk(staging, key("chunk"));
  EXPECT_TRUE(store.find_chunk(key("chunk")));
  write_file(chunk / "part", "BYTES");
  EXPECT_FALSE(store.find_chunk(key("chunk")));
}

// A chunk of one file, verified as before a pass is closed; that file under the name of an output, and what `before`
// does to the chunk's in between. Returns the digest under which the output is published.
Digest digest_of_linked(Store& store, const std::function<void(const fs::path&)>& before) {
  const auto chunk_staging = store.make_chunk_staging(key("chunk"));
  write_file(chunk_staging / "part", "bytes");
  store.publish_chunk(chunk_staging, key("chunk"));
  const auto chunk = store.find_chunk(key("chunk"));
  before(*chunk / "part");
  const auto staging = store.make_staging(action, {"out"});
  link_or_copy(*chunk / "part", staging / "out" / "whole");
  const PublishResult result = store.commit(staging, {{"stage", fields, {{"out", {}, false}}}, key("recipe"), false});
  return result.publication->port("out")->digest;
}

Digest digest_of_output(const std::string& bytes) {
  return digest_of_tree({{"whole", bytes.size(), digest_of(bytes)}});
}

void overwrite(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::in) << bytes; }

TEST(Store, AVerifiedChunksFileIsNotReadAgainToBecomeAnOutputs) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto damage_unseen = [](const fs::path& file) {
    const auto time = fs::last_write_time(file);
    overwrite(file, "BYTES");
    fs::last_write_time(file, time);
  };
  const Digest digest = digest_of_linked(store, damage_unseen);
  EXPECT_EQ(digest, digest_of_output("bytes"));
  Store another(folder.path() / "store", Store::Mode::read_write);
  EXPECT_FALSE(another.verify(digest)) << "damage after the check shows when the output is read, as it would later";
}

TEST(Store, AChunksFileThatWasWrittenAfterItWasVerifiedIsReadAgain) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto write = [](const fs::path& file) {
    overwrite(file, "BYTES");
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
  };
  EXPECT_EQ(digest_of_linked(store, write), digest_of_output("BYTES"));
}

TEST(Store, ManyThreadsMayPublishOneChunk) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto staging = store.make_chunk_staging(key("chunk"));
      write_file(staging / "part", "bytes");
      store.publish_chunk(staging, key("chunk"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(store.find_chunk(key("chunk")));
  EXPECT_TRUE(fs::is_empty(folder.path() / "store/staging"));
}

TEST(Store, AnotherFormatIsRefusedWithTheWayOut) {
  TemporaryFolder folder;
  write_file(folder.path() / "store/format-version", "7\n");
  try {
    Store store(folder.path() / "store", Store::Mode::read_only);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::cannot_create);
    EXPECT_NE(std::string(error.what()).find("--store"), std::string::npos);
  }
}

TEST(Store, AttemptsAreKeptInOrder) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  for (int number : {1, 2, 10}) {
    Attempt attempt;
    attempt.number = number;
    attempt.message = "attempt " + std::to_string(number);
    store.record_attempt(action, attempt);
  }
  EXPECT_EQ(store.next_attempt(action), 11);
  EXPECT_EQ(store.attempts(action).back().message, "attempt 10");
}

TEST(Store, AttemptsOfRunsAtOnceDoNotReplaceEachOther) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  Attempt first, second;
  first.number = second.number = store.next_attempt(action);
  first.message = "first", second.message = "second";
  EXPECT_EQ(store.record_attempt(action, first), 1);
  EXPECT_EQ(store.record_attempt(action, second), 2);
  ASSERT_EQ(store.attempts(action).size(), 2u);
  EXPECT_EQ(store.attempts(action).front().message, "first");
  EXPECT_EQ(store.attempts(action).back().number, 2);
}

// ---- what a check refuses ----

TEST(StoreChecks, WhatIsCommittedHasAFolderForEveryPort) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  const auto staging = store.make_staging(action, {"out"});
  EXPECT_THROW(store.commit(staging, {{"stage", fields, {{"undeclared", {}, false}}}, std::nullopt, false}), Error);
}

TEST(StoreChecks, WhatIsCommittedLiesInTheStoresOwnStaging) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  write_file(folder.path() / "elsewhere/out/file.txt", "content");
  EXPECT_THROW(
      store.commit(folder.path() / "elsewhere", {{"stage", fields, {{"out", {}, false}}}, std::nullopt, false}), Error);
}

TEST(StoreChecks, AKeyNamesOnlyObjectsThatAreThere) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  EXPECT_THROW(store.publish({{"stage", fields, {{"out", key("nothing"), false}}}, std::nullopt, false}), Error);
  EXPECT_FALSE(store.find_action(action));
}

TEST(StoreChecks, AStoreForReadingIsNotWritten) {
  TemporaryFolder folder;
  Store(folder.path() / "store", Store::Mode::read_write);
  Store store(folder.path() / "store", Store::Mode::read_only);
  EXPECT_THROW(store.make_staging(action, {"out"}), Error);
  EXPECT_THROW(store.progress(action), Error);
}

TEST(StoreChecks, APortIsAPlainName) {
  TemporaryFolder folder;
  Store store(folder.path() / "store", Store::Mode::read_write);
  EXPECT_THROW(store.make_staging(action, {"../out"}), Error);
  EXPECT_THROW(store.make_staging(action, {".hidden"}), Error);
}

}  // namespace
}  // namespace penstock::pipeline
