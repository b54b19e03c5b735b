#include "pipeline/store/store_pins.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "distributed/error.h"
#include "pipeline/files.h"

namespace penstock::pipeline {
namespace {

std::filesystem::path pin_of(const Store& store, const Digest& action) { return store.root() / "pins" / action.hex(); }

}  // namespace

bool is_pinned(const Store& store, const Digest& action) { return access(pin_of(store, action).c_str(), F_OK) == 0; }

void pin(const Store& store, const Digest& action, const std::string& note) {
  write_file(pin_of(store, action), note + "\n");
}

bool unpin(const Store& store, const Digest& action) {
  const auto file = pin_of(store, action);
  if (unlink(file.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  throw Error(ExitCode::cannot_create, file.string() + ": cannot be removed: " + std::strerror(errno));
}

}  // namespace penstock::pipeline
