// What a file really is when it is not what it was given as, by its first bytes. For messages: a download that gave a
// web page, a pointer of Git LFS, an archive of another format. Any thread may call it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

struct FileKind {
  std::string what;                // "a web page (HTML)"; for what is not known, how it begins
  std::string remedy;              // "download the file itself"; empty: none
  bool is_readable_image = false;  // PNG, JPEG or TIFF
};

inline constexpr size_t bytes_that_tell = 512;

// `bytes`: the first bytes_that_tell of the file, or all of it when it is shorter. `name`: of the file, for the
// commands in the remedy.
FileKind kind_of(std::span<const uint8_t> bytes, std::string_view name);

// "but a web page (HTML): download the file itself": the end of a sentence "is not ...".
std::string but_is(std::span<const uint8_t> bytes, std::string_view name);

// The first bytes_that_tell of a file; fewer when it is shorter, none when it cannot be read.
std::vector<uint8_t> first_bytes(const std::filesystem::path& file);

}  // namespace penstock::stages
