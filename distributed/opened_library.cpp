#include "distributed/opened_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "distributed/error.h"

namespace penstock::distributed {
namespace {

// The folder that this code was loaded from.
std::filesystem::path own_folder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::absolute(info.dli_fname).parent_path();
}

}  // namespace

void* open_library_symbol(const std::string& file, const std::string& symbol) {
  const std::filesystem::path path = own_folder() / file;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* found = library == nullptr ? nullptr : dlsym(library, symbol.c_str());
  if (found == nullptr) {
    const char* reason = dlerror();
    throw Error(ExitCode::environment, "cannot open " + path.string() + ": " + (reason ? reason : "unknown reason") +
                                           "\nIt belongs beside libpenstock.so; was the whole build installed?");
  }
  return found;
}

bool library_exists(const std::string& file) {
  std::error_code none;
  return std::filesystem::exists(own_folder() / file, none);
}

}  // namespace penstock::distributed
