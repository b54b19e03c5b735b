// What rank 0 tells the others travels as text and arrives as it was.
#include <gtest/gtest.h>

#include "distributed/local_communicator.h"
#include "pipeline/packed_value.h"
#include "pipeline/run/instruction.h"
#include "pipeline/run/node_result.h"

namespace penstock::pipeline {
namespace {

TEST(Instruction, AStageCallArrivesAsItWasSent) {
  StageCall call;
  call.stage = "train@1f0a2b3c4d";
  call.kind = "train";
  call.values = {{"lr", 1e-3}, {"epochs", 30}};
  call.inputs["runs"] = {{"/store/a", "1f"}, {"/store/b", "2e"}};
  call.outputs["model"] = "/store/staging/x/model";
  call.relatives = {"/store/progress/y"};
  const Instruction arrived = instruction_from_text(to_text(call));
  EXPECT_EQ(to_json(std::get<StageCall>(arrived)), to_json(call));
  EXPECT_TRUE(std::get<StageCall>(arrived).values.at("epochs").is_number_integer());
}

TEST(Instruction, EachKindArrivesAsItself) {
  EXPECT_EQ(std::get<UseStore>(instruction_from_text(to_text(UseStore{"/store"}))).root, "/store");
  EXPECT_EQ(std::get<WorkInGroups>(instruction_from_text(to_text(WorkInGroups{3}))).width, 3);
  const auto end = std::get<EndFollowing>(instruction_from_text(to_text(EndFollowing{ExitCode::io, "end of disk"})));
  EXPECT_EQ(end.code, ExitCode::io);
  EXPECT_EQ(end.message, "end of disk");
}

TEST(Instruction, OneThatNoRankKnowsIsNotTakenForAnEnd) {
  EXPECT_THROW(instruction_from_text(packed({{"do", "dance"}})), Error);
}

TEST(Instruction, OnlyRankZeroGivesThem) {
  EXPECT_THROW(distributed::run_local_ranks(2,
                                            [](distributed::Communicator& ranks) {
                                              if (ranks.rank() == 1) instruct(ranks, WorkInGroups{1});
                                              ranks.barrier("the end");
                                            }),
               Error);
}

TEST(NodeResult, ArrivesAsItWasSentAndAnUnknownEndingIsRefused) {
  NodeResult result;
  result.node = 4;
  result.ending = Ending::pruned;
  result.damaged = {1, 2};
  const NodeResult arrived = result_from_text(to_text(result));
  EXPECT_EQ(arrived.node, 4);
  EXPECT_EQ(arrived.ending, Ending::pruned);
  EXPECT_EQ(arrived.damaged, result.damaged);
  result.ending = static_cast<Ending>(99);
  EXPECT_THROW(result_from_text(to_text(result)), Error);
}

}  // namespace
}  // namespace penstock::pipeline
