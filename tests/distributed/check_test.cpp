// Wrong calls at the border of distributed/: each is refused with a sentence instead of corrupting data or hanging.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "distributed/collectives.h"
#include "distributed/local_communicator.h"
#include "distributed/reducer/gradient_reducer.h"
#include "distributed/watchdog/collective_log.h"
#include "distributed/watchdog/watchdog.h"
#include "distributed/watchdog/watched_communicator.h"
#include "expect_check.h"

namespace penstock::distributed {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::function<void()>& call, ExitCode code = ExitCode::internal) {
  return refusal_of(call, code);
}

// What `body` is refused with on each of two ranks.
std::string refusal_on_two(const std::function<void(Communicator&)>& body, ExitCode code = ExitCode::internal) {
  return refusal([&] { run_local_ranks(2, body); }, code);
}

TEST(CommunicatorChecks, ABroadcastsRootIsARank) {
  int32_t value = 0;
  EXPECT_THAT(refusal_on_two([&](Communicator& ranks) { ranks.broadcast(buffer_of(&value, 1), 2, "a value"); }),
              AllOf(HasSubstr("'a value'"), HasSubstr("from 0 to 1, found 2")));
}

TEST(CommunicatorChecks, ABufferOfElementsHasMemory) {
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) { ranks.all_reduce(buffer_of<float>(nullptr, 3), "a sum"); }),
              HasSubstr("a buffer of 3 elements has memory"));
}

TEST(CommunicatorChecks, ADevicesBufferIsRefusedByAHostsCommunicator) {
  float value = 0;
  Buffer buffer = buffer_of(&value, 1);
  buffer.place = Place::device;
  EXPECT_THAT(refusal_on_two([&](Communicator& ranks) { ranks.all_reduce(buffer, "a sum"); }),
              HasSubstr("takes host buffers"));
}

TEST(CommunicatorChecks, AllGathersTargetHoldsAPartForEachRank) {
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) {
                int32_t mine = 0, all[3];
                ranks.all_gather(buffer_of(&mine, 1), buffer_of(all, 3), "parts");
              }),
              HasSubstr("one part of 1 elements for each of 2 ranks, found 3"));
}

TEST(CommunicatorChecks, AllGathersBuffersHaveOneTypeAndDoNotOverlap) {
  int32_t mine[2] = {};
  int64_t wide[2] = {};
  EXPECT_THAT(
      refusal_on_two([&](Communicator& ranks) { ranks.all_gather(buffer_of(mine, 1), buffer_of(wide, 2), "parts"); }),
      HasSubstr("i32 and i64"));
  EXPECT_THAT(
      refusal_on_two([&](Communicator& ranks) { ranks.all_gather(buffer_of(mine, 1), buffer_of(mine, 2), "parts"); }),
      HasSubstr("do not overlap"));
}

TEST(CommunicatorChecks, AllToAllHasAnEqualPartForEachRank) {
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) {
                int32_t mine[3] = {}, all[3];
                ranks.all_to_all(buffer_of(mine, 3), buffer_of(all, 3), "parts");
              }),
              HasSubstr("an equal part for each of 2 ranks, found buffers of 3 and 3"));
}

TEST(CommunicatorChecks, MessagesAreBetweenRanksAndTagsInTheirRange) {
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) { ranks.send(2, 1, "x"); }), HasSubstr("found rank 2"));
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) { ranks.send(any_rank, 1, "x"); }), HasSubstr("found rank -1"));
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) { ranks.poll(any_rank, 1 << 15); }), HasSubstr("found 32768"));
}

TEST(CommunicatorChecks, TwoThreadsDoNotEnterCollectivesOfOneCommunicator) {
  std::string said;
  run_local_ranks(2, [&](Communicator& plain) {
    const auto log = std::make_shared<CollectiveLog>(1);
    const auto ranks = watched(plain.duplicate("the job"), log, "the job");
    if (ranks->rank() == 1) {
      plain.receive(0, 1);  // rank 0's second call has been refused
      ranks->barrier("the first");
      return;
    }
    std::thread first([&] { ranks->barrier("the first"); });
    while (log->inside().empty()) std::this_thread::yield();
    said = refusal([&] { ranks->barrier("the second"); });
    plain.send(1, 1, "");
    first.join();
  });
  EXPECT_THAT(said, AllOf(HasSubstr("'the second'"), HasSubstr("one at a time")));
}

TEST(CommunicatorChecks, OtherTypesOfTheSameSizeAreADisagreement) {
  EXPECT_THAT(refusal_on_two(
                  [](Communicator& ranks) {
                    float real = 0;
                    int32_t whole = 0;
                    ranks.all_reduce(ranks.rank() == 0 ? buffer_of(&real, 1) : buffer_of(&whole, 1), "a sum");
                  },
                  ExitCode::ranks),
              AllOf(HasSubstr("1 f32 elements"), HasSubstr("1 i32 elements")));
}

TEST(CommunicatorChecks, AStartedAllReduceIsWaitedForOnce) {
  EXPECT_THAT(refusal_on_two([](Communicator& ranks) {
                float value = 0;
                const auto pending = ranks.start_all_reduce(buffer_of(&value, 1), "a sum");
                pending->wait();
                pending->wait();
              }),
              HasSubstr("wait() is called once"));
}

// ---- the reducer ----

// What a lone rank with one micro-shard and two buckets is refused with.
std::string reducer_refusal(const std::function<void(GradientReducer&)>& calls) {
  const auto ranks = local_world(1);
  GradientReducer reducer(*ranks.front(), {{4, 10}, {0, 4}}, {});
  return refusal([&] { calls(reducer); });
}

TEST(ReducerChecks, BucketsCoverTheVectorOnce) {
  const auto ranks = local_world(1);
  EXPECT_THAT(refusal([&] {
                GradientReducer(*ranks.front(), {{4, 10}, {0, 3}}, {});
              }),
              HasSubstr("bucket 1 ends where the one before it begins, found [0, 3)"));
  EXPECT_THAT(refusal([&] { GradientReducer(*ranks.front(), {{4, 10}}, {}); }), HasSubstr("reach its beginning"));
}

TEST(ReducerChecks, ABucketOfAMicroShardIsReadyOnce) {
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) {
                reducer.begin("step 1");
                reducer.ready(0, 1);
                reducer.ready(0, 1);
              }),
              HasSubstr("micro-shard 0 came again"));
}

TEST(ReducerChecks, ReadyNamesABucketAndAMicroShardOfThisRank) {
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) {
                reducer.begin("step 1");
                reducer.ready(0, 2);
              }),
              HasSubstr("bucket 2 of 2"));
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) { reducer.input(1); }), HasSubstr("[0, 1), found 1"));
}

TEST(ReducerChecks, ARoundIsFinishedWhenEveryBucketIsReady) {
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) {
                reducer.begin("step 1");
                reducer.ready(0, 0);
                reducer.finish();
              }),
              HasSubstr("1 of bucket 1's micro-shards are not"));
}

TEST(ReducerChecks, RoundsDoNotNestAndTheSettersWaitForTheirEnd) {
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) { reducer.finish(); }), HasSubstr("after begin()"));
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) {
                reducer.begin("step 1");
                reducer.begin("step 2");
              }),
              HasSubstr("between rounds"));
  EXPECT_THAT(reducer_refusal([](GradientReducer& reducer) {
                reducer.begin("step 1");
                reducer.set_overlap(true);
              }),
              HasSubstr("between rounds"));
}

// ---- the watchdog ----

TEST(WatchdogChecks, ACollectiveIsLeftOnceAndBeforeTheNextIsEntered) {
  CollectiveLog log(2);
  auto& side = log.join({1, 2, "the job"});
  EXPECT_THAT(refusal([&] { log.leave(side); }), HasSubstr("after it was entered"));
  log.enter(side, Operation::barrier, DataType::u8, 0, 0, "first");
  EXPECT_THAT(refusal([&] { log.enter(side, Operation::barrier, DataType::u8, 0, 0, "second"); }),
              HasSubstr("'second'"));
  EXPECT_THAT(refusal([&] { log.news(2, 10); }), HasSubstr("listeners are 0 to 1, found 2"));
}

TEST(WatchdogChecks, SeveralBeatsFitIntoThePatience) {
  auto ranks = std::move(local_world(1).front());
  Watch watch;
  EXPECT_THAT(
      refusal([&] { const Watchdog dog(ranks, watch, {.patience = std::chrono::milliseconds(50), .tell = nullptr}); }),
      HasSubstr("found 50 ms and an interval of 100 ms"));
}

TEST(WatchdogChecks, ABeatThatIsCutOffIsRefused) {
  const std::string message = to_messages({}).front();
  EXPECT_THAT(refusal([&] { beat_from_message(std::string_view(message).substr(0, message.size() - 1)); }),
              HasSubstr("a beat holds the fields that were written"));
}

}  // namespace
}  // namespace penstock::distributed
