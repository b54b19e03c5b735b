// What rank 0 tells the other ranks of its communicator to do next. Sending and receiving are collective: rank 0 calls
// instruct() while every other rank waits in next_instruction().
#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include "pipeline/run/stage_call.h"

namespace penstock::pipeline {

// The store lies here. Comes first.
struct UseStore {
  std::filesystem::path root;
};

// Form groups of `width` ranks, which take orders from rank 0 until none is left.
struct WorkInGroups {
  int width = 1;
};

// Nothing follows. With a message: throw it, with the code.
struct EndFollowing {
  ExitCode code = ExitCode::done;
  std::string message;
};

// A StageCall means: take part in this stage.
using Instruction = std::variant<UseStore, StageCall, WorkInGroups, EndFollowing>;

std::string to_text(const Instruction& instruction);
Instruction instruction_from_text(const std::string& text);

void instruct(distributed::Communicator& ranks, const Instruction& instruction);
Instruction next_instruction(distributed::Communicator& ranks);

}  // namespace penstock::pipeline
