// Files that are not what they were given as: what they are is said, and what to do.
#include "stages/images/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/archives/archives.h"
#include "stages/archives/catalogue.h"
#include "stages/images/image_codec.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::string_literals;

constexpr const char* lfs_pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 85\n";
const std::string tar_gz = "\x1f\x8b\x08\0\0\0\0\0\0\x03"s;

// What is said when `bytes` lie at `name` in `place`, which is given to unzip: the file, or the folder that holds it.
std::string refusal(const std::string& name, const std::string& bytes, bool folder = false) {
  const TemporaryFolder place;
  pipeline::write_file(place.path() / "given" / name, bytes);
  return refusal_of(
      [&] { make_catalogue(open_archives(folder ? place.path() / "given" : place.path() / "given" / name, {})); },
      ExitCode::data);
}

TEST(FileKind, AnArchiveThatIsNoneIsNamedWithWhatToDo) {
  const std::string tar = std::string(257, 'a') + "ustar\0"s;
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"<!DOCTYPE html>\n<html>", "a web page (HTML)", "download the file itself"},
      {"\xef\xbb\xbf \r\n<HTML lang=en>", "a web page (HTML)", "download the file itself"},
      {"{\"code\":403,\"message\":\"Permission denied\"}", "a JSON text", "a server's answer"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "an XML text", "a server's answer"},
      {tar_gz, "gzip", "tar -xf '"},
      {"BZh91AY&SY", "bzip2", "tar -xf '"},
      {"\xfd\x37zXZ\0\0"s, "xz", "tar -xf '"},
      {tar, "a tar archive", "tar -xf '"},
      {"7z\xbc\xaf\x27\x1c\0\x04"s, "a 7z archive", "7z x '"},
      {"Rar!\x1a\x07\x01\0"s, "a RAR archive", "unrar x '"},
      {"", "an empty file (0 bytes)", "download or copy it again"},
      {std::string(4096, '\0'), "zeros only", "download or copy it again"},
      {lfs_pointer, "a pointer of Git LFS", "'git lfs pull'"},
      {"/annex/objects/SHA256E-s1--2.zip\n", "a pointer of git-annex", "'git annex get'"},
      {grey_png(4, 4, 9), "a PNG image", "put the images into a folder"},
      {"hello, world", "begins with \"hello, world\"", ""}};
  for (const auto& [bytes, what, remedy] : cases)
    EXPECT_THAT(refusal("data.zip", bytes), AllOf(StartsWith("data.zip: "), HasSubstr(what), HasSubstr(remedy)));
}

TEST(FileKind, HalfADownloadIsTheBeginningOfAZip) {
  const TemporaryFolder place;
  write_zip(place.path() / "whole.zip", {{"x/images/x.png", grey_png(64, 64, 9)}});
  const std::string whole = pipeline::read_file(place.path() / "whole.zip");
  EXPECT_THAT(refusal("half.zip", whole.substr(0, whole.size() / 2)),
              AllOf(HasSubstr("the beginning of a zip archive whose end is missing"), HasSubstr("compare its size")));
}

TEST(FileKind, AnArchiveInsideAnArchiveIsNamedToo) {
  const TemporaryFolder place;
  write_zip(place.path() / "outer.zip", {{"inner.zip", lfs_pointer}});
  try {
    open_archives(place.path() / "outer.zip", {});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("outer.zip:inner.zip"), HasSubstr("a pointer of Git LFS")));
  }
}

TEST(FileKind, AFolderWithoutImagesSaysWhatItHolds) {
  EXPECT_THAT(refusal("data.tar.gz", tar_gz, true), AllOf(HasSubstr("it holds data.tar.gz"), HasSubstr("tar -xf")));
  EXPECT_THAT(refusal("cells.bmp", "BM\x36\x10\0\0\0\0\0\0"s, true), HasSubstr("convert it to TIFF or PNG"));
  EXPECT_THAT(refusal("cells", grey_png(4, 4, 9), true), HasSubstr("end its name in .png"));
}

TEST(FileKind, AnImageThatIsNoneIsNamedWithWhatToDo) {
  const auto refused = [](const std::string& bytes) -> std::string {
    return refusal_of(
        [&] {
          decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x.png");
        },
        ExitCode::data);
  };
  EXPECT_THAT(refused(lfs_pointer),
              AllOf(StartsWith("x.png: not a PNG, JPEG or TIFF image"), HasSubstr("git lfs pull")));
  EXPECT_THAT(refused("GIF89a"), HasSubstr("a GIF image: convert it to TIFF or PNG"));
  EXPECT_THAT(refused("<html><body>"), HasSubstr("a web page"));
  EXPECT_THAT(refused(""), HasSubstr("an empty file"));
}

}  // namespace
}  // namespace penstock::stages
