// What the fuzz targets have in common. A target is one file with LLVMFuzzerTestOneInput: it hands bytes that anyone
// may have written to one reader, as the program would. A refusal of the kind that a user gets is an answer; whatever
// else leaves the function (another exception, a failed check, a crash) is a finding. One thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "temporary_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace penstock::fuzz {

// A claim about what a reader gave; a broken one is a finding.
inline void require(bool holds, const std::string& claim) {
  if (!holds) throw std::logic_error("not so: " + claim);
}

// Whether `read` refused its input: with this exit code, in words that can be printed and name the input.
template <typename Read>
bool is_refused(ExitCode code, std::string_view name, const Read& read) {
  try {
    read();
    return false;
  } catch (const Error& error) {
    const std::string_view said = error.what();
    require(error.code() == code, "a refusal has the exit code of its kind: " + std::string(said));
    require(said.find(name) != std::string_view::npos, "a refusal names the input: " + std::string(said));
    require(distributed::is_utf8(said), "a refusal is UTF-8");
    return true;
  }
}

// A folder of this process for readers of files.
inline const std::filesystem::path& scratch() {
  static const TemporaryFolder folder;
  return folder.path();
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Writes a file without the program's own care (no sync, no rename): millions are written.
inline void put(const std::filesystem::path& file, std::string_view bytes) {
  FILE* out = std::fopen(file.c_str(), "wb");
  if (out == nullptr) throw std::runtime_error("cannot write " + file.string());
  std::fwrite(bytes.data(), 1, bytes.size(), out);
  std::fclose(out);
}

}  // namespace penstock::fuzz
