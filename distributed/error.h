// The exception type whose message a user reads, and the exit codes of every command (sysexits).
//
// A user's mistake or an unfit environment is thrown as Error, with the program's exit code; the message names file,
// place, what was read and what to do. Only launch/main.cpp catches it for printing.
#pragma once

#include <stdexcept>
#include <string>

namespace penstock {

enum class ExitCode : int {
  done = 0,
  usage = 64,          // bad command line
  data = 65,           // bad or missing input data, a failed command stage, a refused gate
  environment = 69,    // no GPU, wrong library, out of memory, a launch line that cannot work
  internal = 70,       // a programmer's mistake
  cannot_create = 73,  // output or store cannot be created or written, or is held by another run
  io = 74,             // disk full, EIO
  interrupted = 75,    // state saved, run again to resume
  ranks = 76,          // ranks disagree or one is stuck
  config = 78,         // bad configuration
};

// Default visibility, so that a throw in an opened library is caught in the executable.
class __attribute__((visibility("default"))) Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace penstock
