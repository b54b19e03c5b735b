#include "distributed/outcome.h"

#include <filesystem>
#include <new>

#include "distributed/printable.h"

namespace penstock::distributed {

Outcome current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), printable_text(error.what())};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::io, printable_text(error.what())};
  } catch (const std::bad_alloc&) {
    return {ExitCode::environment, "out of memory"};
  } catch (const std::exception& error) {
    return {ExitCode::internal, printable_text(error.what())};
  }
}

}  // namespace penstock::distributed
