// The only place that catches: what was thrown becomes one message on stderr and an exit code.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include "distributed/error.h"
#include "launch/command_line.h"
#include "stages/kinds.h"

int main(int argc, char** argv) {
  using penstock::ExitCode;
  const auto fail = [](ExitCode code, const char* message) {
    std::fprintf(stderr, "%s\n", message);
    return static_cast<int>(code);
  };
  try {
    return penstock::launch::run_command_line(argc, argv, penstock::stages::stage_table());
  } catch (const penstock::Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(ExitCode::io, error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::environment, "out of memory");
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, error.what());
  }
}
