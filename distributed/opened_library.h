// A shared library that is opened when it is first needed, from the folder that libpenstock.so lies in; never closed.
#pragma once

#include <string>

namespace penstock::distributed {

// The address of `symbol` in `file` ("libpenstock_mpi.so"). Throws Error(environment) naming the file, the folder
// and the loader's reason. Opened with RTLD_NOW | RTLD_LOCAL.
void* open_library_symbol(const std::string& file, const std::string& symbol);

// Whether there is such a file to open: a build has those that its machine could build.
bool library_exists(const std::string& file);

}  // namespace penstock::distributed
