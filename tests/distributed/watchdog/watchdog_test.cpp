// Judgements by times that the tests make up, and watchdogs of ranks that are threads.
#include "distributed/watchdog/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "distributed/collectives.h"
#include "distributed/local_communicator.h"
#include "distributed/watchdog/judgement.h"
#include "distributed/watchdog/settle.h"
#include "distributed/watchdog/watched_communicator.h"

namespace penstock::distributed {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// ---- what watchdogs send each other ----

TEST(Beat, ArrivesAsItWasSentHoweverManyMessagesItTakes) {
  Beat sent;
  sent.stops = true;
  sent.machine = "node7, process 4711";
  sent.standing = {Activity::stepping, "train, step 812", 1.5, 8};
  sent.still_seconds = 0.25;
  sent.inside = {{1, 40, 0.5}};
  sent.joined = {{1, 3, "the job"}};
  for (uint64_t number = 1; number <= 40; ++number)
    sent.entered.push_back({1, number, {Operation::all_reduce, DataType::f32, 0, 4096, "bucket 3 of step 812"}});
  sent.dropped = {7};
  const auto messages = to_messages(sent);
  ASSERT_GT(messages.size(), 1u);
  std::vector<Entered> entered;
  for (const std::string& message : messages) {
    EXPECT_LE(message.size(), 2000u);
    const Beat heard = beat_from_message(message);
    EXPECT_TRUE(heard.stops);
    EXPECT_FALSE(heard.leaves);
    EXPECT_EQ(heard.standing.where, "train, step 812");
    EXPECT_EQ(heard.inside.at(0).number, 40u);
    entered.insert(entered.end(), heard.entered.begin(), heard.entered.end());
  }
  ASSERT_THAT(entered, SizeIs(40));
  EXPECT_EQ(entered[39].number, 40u);
  EXPECT_EQ(entered[39].collective, sent.entered[39].collective);
}

TEST(CollectiveLog, GivesEachListenerWhatItHasNotHeard) {
  CollectiveLog log(2);
  auto& side = log.join({1, 2, "the job"});
  log.enter(side, Operation::barrier, DataType::u8, 0, 0, "first");
  EXPECT_THAT(log.inside(), SizeIs(1));
  log.leave(side);
  EXPECT_THAT(log.inside(), IsEmpty());
  EXPECT_THAT(log.news(0, 10).entered, SizeIs(1));
  log.enter(side, Operation::barrier, DataType::u8, 0, 0, "second");
  EXPECT_THAT(log.news(0, 10).entered, SizeIs(1));
  EXPECT_THAT(log.news(1, 1).entered, SizeIs(1));
  EXPECT_EQ(log.news(1, 10).entered.at(0).collective.what, "second");
}

// ---- limits ----

TEST(Watch, AStepsLimitFollowsTheStepsBefore) {
  Watch watch(milliseconds(2));
  const auto limit = [&watch] {
    const auto doing = watch.step(1);
    return watch.standing().limit_seconds;
  };
  EXPECT_DOUBLE_EQ(limit(), 0.03) << "the first steps set up what computes";
  for (int step = 0; step < 5; ++step) {
    const auto doing = watch.step(step);
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_GE(limit(), 0.04);
}

TEST(Watch, SaysWhereItIsFromOutsideIn) {
  Watch watch;
  EXPECT_EQ(watch.standing().activity, Activity::idle);
  const auto stage = watch.stage("train");
  const auto file = watch.reading("shards/0003.h5");
  EXPECT_EQ(watch.standing().where, "train, reading shards/0003.h5");
  EXPECT_EQ(watch.standing().activity, Activity::reading);
}

TEST(Watch, LastWordsAreSaidOnceAndNotAfterTheyAreWithdrawn) {
  Watch watch;
  std::vector<std::string> said;
  {
    const auto withdrawn = watch.if_job_ends([&](const std::string&) { said.push_back("what is over"); });
  }
  const auto words = watch.if_job_ends([&](const std::string& reason) { said.push_back(reason); });
  watch.job_ends("rank 2 is silent");
  watch.job_ends("rank 2 is still silent");
  EXPECT_EQ(said, std::vector<std::string>{"rank 2 is silent"});
}

// ---- judgements ----

constexpr milliseconds patience{1000};

// Ranks whose beats are written by hand.
class Judgement : public testing::Test {
 protected:
  using Time = RankTable::Time;
  Judgement() : table_(2, {0, 1}, start_) {
    for (const int rank : {0, 1}) {
      now_[rank].joined = {{1, 2, "the job"}};
      now_[rank].standing = {Activity::stepping, "train, step 7", 0, 1};
      tell(rank, 0);
    }
  }
  Time at(double seconds) const {
    return start_ + std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(seconds));
  }
  void tell(int rank, double seconds) {
    table_.hear(rank, now_[rank], at(seconds));
    now_[rank].joined.clear();
    now_[rank].entered.clear();
  }
  void enter(int rank, uint64_t number, const std::string& what, uint64_t bytes = 64) {
    now_[rank].inside = {{1, number, 0}};
    now_[rank].entered.push_back({1, number, {Operation::all_reduce, DataType::f32, 0, bytes, what}});
  }
  std::string judged(double seconds) const { return judge(table_, patience, at(seconds)).value_or(""); }

  const Time start_ = std::chrono::steady_clock::now();
  RankTable table_;
  Beat now_[2];
};

TEST_F(Judgement, ASilentRankIsNamedWithWhereItWas) {
  now_[1].machine = "node7, process 4711";
  enter(0, 1, "bucket 0 of step 7");
  tell(1, 0.5);
  tell(0, 1.4);
  EXPECT_EQ(judged(1.4), "");
  EXPECT_THAT(judged(1.6), AllOf(HasSubstr("rank 1 of 2 has been silent for 1.1 s"),
                                 HasSubstr("rank 1 (node7, process 4711): silent; last heard train, step 7"),
                                 HasSubstr("rank 0: train, step 7, in all_reduce of 64 bytes 'bucket 0 of step 7'"),
                                 HasSubstr("not there: rank 1")));
}

TEST_F(Judgement, WhoHasLeftIsNotSilent) {
  now_[1].leaves = true;
  tell(1, 0.1);
  tell(0, 50);
  EXPECT_EQ(judged(50), "");
}

TEST_F(Judgement, WhoWaitsForOneThatHasLeftIsTold) {
  now_[1].leaves = true;
  now_[1].standing = {Activity::idle, "", 0, std::numeric_limits<double>::infinity()};
  tell(1, 0.1);
  enter(0, 1, "a sum");
  tell(0, 0.2);
  EXPECT_EQ(judged(0.3), "");
  EXPECT_THAT(judged(0.9),
              HasSubstr("Rank 1 has ended its work, and rank 0 waits for it in all_reduce of 64 bytes 'a sum'"));
}

TEST_F(Judgement, OtherBytesInTheSameCollectiveAreADisagreementAtOnce) {
  enter(0, 1, "bucket 0");
  enter(1, 1, "bucket 0", 128);
  tell(0, 0.1);
  tell(1, 0.1);
  EXPECT_THAT(judged(0.1), AllOf(HasSubstr("Ranks disagree"), HasSubstr("64 bytes"), HasSubstr("128 bytes")));
}

TEST_F(Judgement, OneThatComputesForLongerThanItsLimitIsNamed) {
  enter(0, 1, "bucket 0 of step 7");
  tell(0, 0);
  for (const int rank : {0, 1}) {
    now_[rank].still_seconds = now_[rank].standing.seconds = 2.9;
    if (rank == 0) now_[rank].inside[0].seconds = 2.9;
    tell(rank, 2.9);
  }
  EXPECT_THAT(judged(3), AllOf(HasSubstr("Rank 1 does not come to all_reduce of 64 bytes 'bucket 0 of step 7', where "
                                         "rank 0 has waited for it for 3.0 s"),
                               HasSubstr("the limit for its activity is 1.0 s")));
}

// Its last beat came a moment after the others had begun to wait: what is wrong with it is that nothing is heard of it.
TEST_F(Judgement, ALateRankThatIsAlsoSilentIsCalledSilent) {
  now_[1].standing.seconds = now_[1].still_seconds = 0.05;
  tell(1, 0.05);
  enter(0, 1, "bucket 0");
  now_[0].inside = {{1, 1, 1.02}};
  now_[0].standing.seconds = now_[0].still_seconds = 1.02;
  tell(0, 1.02);
  EXPECT_EQ(judged(1.02), "");
  EXPECT_THAT(judged(1.06), HasSubstr("rank 1 of 2 has been silent for 1.0 s"));
}

TEST_F(Judgement, WhoIsIdleWaitsForAsLongAsItTakes) {
  now_[0].standing = {Activity::idle, "", 3000, std::numeric_limits<double>::infinity()};
  enter(0, 1, "the next stage");
  now_[0].inside[0].seconds = 3000;
  now_[1].still_seconds = now_[1].standing.seconds = 3000;
  tell(0, 3000);
  tell(1, 3000);
  EXPECT_EQ(judged(3000), "");
}

TEST_F(Judgement, WhatHappenedWhileThisProcessStoodStillCountsForNothing) {
  table_.forgive(at(60));
  EXPECT_EQ(judged(60.5), "");
  EXPECT_NE(judged(61.5), "");
}

// ---- ranks as threads ----

struct Ended {
  std::vector<std::string> reports;  // those with which a job was ended
  ExitCode code = ExitCode::done;
};

// Of a watchdog that must not end a job because of the time.
constexpr milliseconds no_limit = std::chrono::hours(1);
// Of one that ends it by the time: far above what a thread may have to wait for a processor.
constexpr milliseconds short_patience{4000};

Ended run_watched(int size, milliseconds limit, const std::function<void(Communicator&, Watch&)>& body) {
  std::mutex mutex;
  Ended ended;
  try {
    run_local_ranks(size, [&](Communicator& plain) {
      auto ranks = plain.duplicate("the job");
      Watch watch(limit);
      const Watchdog watchdog(ranks, watch,
                              {.patience = limit,
                               .interval = milliseconds(5),
                               .stops = nullptr,
                               .tell = [&](const std::string& report, bool mine) {
                                 const std::lock_guard lock(mutex);
                                 if (mine) ended.reports.push_back(report);
                               }});
      body(*ranks, watch);
      ranks->barrier("the end");
    });
  } catch (const Error& error) {
    ended.code = error.code();
  }
  return ended;
}

// Waits for a message that never comes: ends when the job does.
void be_stuck(Communicator& ranks) { ranks.receive(any_rank, 99); }

TEST(Watchdog, LeavesAJobAloneInWhichAllIsWell) {
  const Ended ended = run_watched(3, no_limit, [](Communicator& ranks, Watch& watch) {
    const auto stage = watch.stage("train");
    for (int step = 1; step <= 200; ++step) {
      const auto doing = watch.step(step);
      int32_t one = 1;
      ranks.all_reduce(buffer_of(&one, 1), "step " + std::to_string(step));
      ASSERT_EQ(one, 3);
    }
    settle(*ranks.duplicate("the end of train"), {}, no_limit);
  });
  EXPECT_EQ(ended.code, ExitCode::done);
  EXPECT_THAT(ended.reports, IsEmpty());
}

TEST(Watchdog, NamesTheRankThatDoesNotComeItsStepAndItsFile) {
  const Ended ended = run_watched(3, short_patience, [](Communicator& ranks, Watch& watch) {
    const auto stage = watch.stage("train");
    for (int step = 1; step <= 5; ++step) {
      const auto doing = watch.step(step);
      if (ranks.rank() == 1 && step == 5) be_stuck(ranks);
      ranks.barrier("step " + std::to_string(step));
    }
  });
  EXPECT_EQ(ended.code, ExitCode::ranks);
  ASSERT_THAT(ended.reports, SizeIs(1));
  EXPECT_THAT(ended.reports[0],
              AllOf(HasSubstr("Rank 1 does not come to barrier 'step 5', where ranks 0, 2 have waited for it"),
                    HasSubstr("exit code 76"), HasSubstr("train, step 5, since")));
}

TEST(Watchdog, SeesACollectiveTooManyBeforeAnyPatienceIsSpent) {
  const Ended ended = run_watched(2, no_limit, [](Communicator& ranks, Watch& watch) {
    const auto stage = watch.stage("train");
    if (ranks.rank() == 1) ranks.split(1, 0, "one too many");
    ranks.barrier("as planned");
    be_stuck(ranks);
  });
  EXPECT_EQ(ended.code, ExitCode::ranks);
}

TEST(Watchdog, SeesRanksThatWaitForEachOtherInDifferentPlaces) {
  const Ended ended = run_watched(2, short_patience, [](Communicator& ranks, Watch& watch) {
    const auto other = ranks.duplicate("another world");
    const auto stage = watch.stage("train");
    (ranks.rank() == 0 ? ranks : *other).barrier(ranks.rank() == 0 ? "in the first" : "in the second");
  });
  EXPECT_EQ(ended.code, ExitCode::ranks);
  ASSERT_THAT(ended.reports, SizeIs(1));
  EXPECT_THAT(ended.reports[0],
              AllOf(HasSubstr("wait for each other"), HasSubstr("'in the first'"), HasSubstr("'in the second'")));
}

TEST(Watchdog, CarriesTheWishToStopToEveryRank) {
  std::atomic<bool> stops[4] = {};
  run_local_ranks(4, [&](Communicator& plain) {
    auto ranks = plain.duplicate("the job");
    Watch watch;
    const Watchdog watchdog(ranks, watch,
                            {.interval = milliseconds(5), .stops = &stops[plain.rank()], .tell = nullptr});
    if (plain.rank() == 3) stops[3].store(true);
    while (!stops[plain.rank()].load()) std::this_thread::sleep_for(milliseconds(1));
  });
  for (const auto& stop : stops) EXPECT_TRUE(stop.load());
}

}  // namespace
}  // namespace penstock::distributed
