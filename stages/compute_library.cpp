#include "stages/compute_library.h"

#include "distributed/check.h"
#include "distributed/opened_library.h"

namespace penstock::stages {

const ComputeLibrary& compute_library() {
  using Entry = const ComputeLibrary& (*)();
  static const ComputeLibrary& library = reinterpret_cast<Entry>(
      distributed::open_library_symbol("libpenstock_compute.so", "penstock_compute_library"))();
  return library;
}

std::unique_ptr<pipeline::StageBody> compute_body(std::string_view kind) {
  auto body = compute_library().body(kind);
  PENSTOCK_CHECK(body != nullptr, "every heavy stage kind has a body in libpenstock_compute.so");
  return body;
}

}  // namespace penstock::stages
