// A shared library that is opened when it is first needed, from the folder that libpenstock.so lies in; never closed.
#pragma once

#include <string>

namespace penstock::distributed {

// The address of `symbol` in `file` ("libpenstock_mpi.so"). Throws Error(environment) naming the file, the folder
// and the loader's reason. Opened with RTLD_NOW | RTLD_LOCAL.
void* open_library_symbol(const std::string& file, const std::string& symbol);

// Whether the build has this library: some need a toolkit that not every machine has.
bool library_exists(const std::string& file);

}  // namespace penstock::distributed
