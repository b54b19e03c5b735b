#include "pipeline/run/instruction.h"

#include "distributed/check.h"
#include "pipeline/packed_value.h"

namespace penstock::pipeline {
namespace {

constexpr const char* what = "the next stage";  // as the watchdog names the wait for an instruction

Value json_of(const UseStore& use) { return {{"do", "use store"}, {"root", use.root.string()}}; }
Value json_of(const StageCall& call) { return {{"do", "call stage"}, {"call", to_json(call)}}; }
Value json_of(const WorkInGroups& work) { return {{"do", "work in groups"}, {"width", work.width}}; }
Value json_of(const EndFollowing& end) {
  return {{"do", "end"}, {"code", static_cast<int>(end.code)}, {"message", end.message}};
}

}  // namespace

std::string to_text(const Instruction& instruction) {
  return packed(std::visit([](const auto& one) { return json_of(one); }, instruction));
}

Instruction instruction_from_text(const std::string& text) {
  const Value json = unpacked(text);
  const std::string what_to_do = json.at("do");
  if (what_to_do == "use store") return UseStore{json.at("root").get<std::string>()};
  if (what_to_do == "call stage") return stage_call_from_json(json.at("call"));
  if (what_to_do == "work in groups") return WorkInGroups{json.at("width").get<int>()};
  PENSTOCK_CHECK(what_to_do == "end", "an instruction is one that every rank knows; all ranks run the same program");
  return EndFollowing{static_cast<ExitCode>(json.at("code").get<int>()), json.at("message").get<std::string>()};
}

void instruct(distributed::Communicator& ranks, const Instruction& instruction) {
  PENSTOCK_CHECK(ranks.rank() == 0, "rank 0 alone gives instructions");
  distributed::broadcast_text(ranks, to_text(instruction), 0, what);
}

Instruction next_instruction(distributed::Communicator& ranks) {
  PENSTOCK_CHECK(ranks.rank() != 0, "rank 0 gives instructions and takes none");
  return instruction_from_text(distributed::broadcast_text(ranks, "", 0, what));
}

}  // namespace penstock::pipeline
