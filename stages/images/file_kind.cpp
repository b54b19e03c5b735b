#include "stages/images/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <optional>

namespace penstock::stages {
namespace {

using namespace std::string_view_literals;

// Where a kind's mark stands, and what it is called.
struct Mark {
  std::string_view bytes;
  size_t offset;
  const char* what;
  const char* remedy;  // {} is the file's name
};

constexpr const char* untar = "unpack it (tar -xf '{}') and give the folder";
constexpr const char* convert = "convert it to TIFF or PNG";
constexpr const char* folder_of_images = "put the images into a folder and give that";
constexpr const char* fetch_again = "download or copy it again, and compare its size with the source's";

constexpr Mark marks[] = {
    {"\x1f\x8b"sv, 0, "a file compressed with gzip (.tar.gz, .gz)", untar},
    {"BZh"sv, 0, "a file compressed with bzip2 (.tar.bz2, .bz2)", untar},
    {"\xfd"
     "7zXZ\0"sv,
     0, "a file compressed with xz (.tar.xz, .xz)", untar},
    {"\x28\xb5\x2f\xfd"sv, 0, "a file compressed with zstd (.tar.zst, .zst)", untar},
    {"ustar"sv, 257, "a tar archive", untar},
    {"7z\xbc\xaf\x27\x1c"sv, 0, "a 7z archive", "unpack it (7z x '{}') and give the folder"},
    {"Rar!\x1a\x07"sv, 0, "a RAR archive", "unpack it (unrar x '{}') and give the folder"},
    {"PK\x03\x04"sv, 0, "the beginning of a zip archive whose end is missing or damaged", fetch_again},
    {"PK\x07\x08"sv, 0, "one part of a split zip archive",
     "join the parts (zip -s 0 '{}' --out whole.zip) and give the whole"},
    {"PK\x05\x06"sv, 0, "a zip archive", "unpack it and give the folder"},
    {"version https://git-lfs.github.com/spec/"sv, 0, "a pointer of Git LFS, not the file itself",
     "fetch the file with 'git lfs pull' in its repository"},
    {"/annex/objects/"sv, 0, "a pointer of git-annex, not the file itself",
     "fetch the file with 'git annex get' in its repository"},
    {"\x89PNG\r\n\x1a\n"sv, 0, "a PNG image", folder_of_images},
    {"\xff\xd8\xff"sv, 0, "a JPEG image", folder_of_images},
    {"II*\0"sv, 0, "a TIFF image", folder_of_images},
    {"MM\0*"sv, 0, "a TIFF image", folder_of_images},
    {"II+\0"sv, 0, "a BigTIFF image", folder_of_images},
    {"MM\0+"sv, 0, "a BigTIFF image", folder_of_images},
    {"GIF8"sv, 0, "a GIF image", convert},
    {"WEBP"sv, 8, "a WebP image", convert},
    {"ftypheic"sv, 4, "an HEIF image", convert},
    {"ftypavif"sv, 4, "an AVIF image", convert},
    {"jP  \r\n\x87\n"sv, 4, "a JPEG 2000 image", convert},
    {"DICM"sv, 128, "a DICOM image", convert},
    {"ZISRAWFILE"sv, 0, "a CZI image (Zeiss)", convert},
    {"\xda\xce\xbe\x0a"sv, 0, "an ND2 image (Nikon)", convert},
    {"\x89HDF\r\n\x1a\n"sv, 0, "an HDF5 file", "export its images as TIFF or PNG"},
    {"\x93NUMPY"sv, 0, "a NumPy array", "save it as TIFF or PNG"},
    {"%PDF-"sv, 0, "a PDF document", "give the images that it was made of"},
};

// An answer of a server in place of the file.
constexpr Mark texts[] = {
    {"<!doctype html"sv, 0, "a web page (HTML)",
     "a server answered with a page (a login, a licence or an error); download the file itself"},
    {"<html"sv, 0, "a web page (HTML)",
     "a server answered with a page (a login, a licence or an error); download the file itself"},
    {"<head"sv, 0, "a web page (HTML)",
     "a server answered with a page (a login, a licence or an error); download the file itself"},
    {"<?xml"sv, 0, "an XML text", "a server's answer, perhaps an error: read it, and download the file itself"},
    {"{"sv, 0, "a JSON text", "a server's answer, perhaps an error: read it, and download the file itself"},
    {"outs:"sv, 0, "a pointer of DVC, not the file itself", "fetch the file with 'dvc pull' in its repository"},
};

bool lies_in(std::string_view bytes, const Mark& mark) {
  return bytes.size() > mark.offset && bytes.substr(mark.offset).starts_with(mark.bytes);
}

FileKind kind_from(const Mark& mark, std::string_view name) {
  std::string remedy = mark.remedy;
  if (const size_t at = remedy.find("{}"); at != std::string::npos) remedy.replace(at, 2, name);
  return {mark.what, std::move(remedy), mark.remedy == folder_of_images};
}

// Without what editors and servers put before a text: a byte order mark and white space; in small letters.
std::string plain_text(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  std::string text(bytes.substr(std::min(first, bytes.size())));
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string beginning_of(std::string_view bytes) {
  std::string begin;
  for (const char c : bytes.substr(0, 12)) {
    const auto byte = static_cast<unsigned char>(c);
    begin += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return begin;
}

}  // namespace

FileKind kind_of(std::span<const uint8_t> given, std::string_view name) {
  const std::string_view bytes(reinterpret_cast<const char*>(given.data()), given.size());
  if (bytes.empty()) return {"an empty file (0 bytes)", fetch_again};
  if (bytes.find_first_not_of('\0') == std::string_view::npos)
    return {"a file that begins with zeros only, as an interrupted download leaves it", fetch_again};
  for (const Mark& mark : marks) {
    if (lies_in(bytes, mark)) return kind_from(mark, name);
  }
  if (bytes.size() >= 10 && bytes.starts_with("BM") && bytes.substr(6, 4) == "\0\0\0\0"sv)
    return {"a BMP image", convert};
  const std::string text = plain_text(bytes);
  for (const Mark& mark : texts) {
    if (lies_in(text, mark)) return kind_from(mark, name);
  }
  return {fmt::format("a file that begins with \"{}\"", beginning_of(bytes)), ""};
}

std::string but_is(std::span<const uint8_t> bytes, std::string_view name) {
  const FileKind kind = kind_of(bytes, name);
  return "but " + kind.what + (kind.remedy.empty() ? "" : ": " + kind.remedy);
}

std::vector<uint8_t> first_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::vector<uint8_t> bytes(bytes_that_tell);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(in.gcount()));
  return bytes;
}

}  // namespace penstock::stages
