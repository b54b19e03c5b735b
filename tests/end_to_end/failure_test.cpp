// What a user sees when something is wrong: one message, the right exit code, every rank gone, nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Runs on two ranks and says what is left over.
struct Failed {
  Ran ran;
  size_t staged = 0;
  bool alive = false;
};

Failed fail(const Workplace& place, const std::string& arguments) {
  Process process(place.program(2) + arguments, place.path());
  const pid_t group = process.pid();
  Failed failed;
  failed.ran = process.wait();
  failed.alive = ::kill(-group, 0) == 0;
  failed.staged = place.entries(".penstock/staging");
  return failed;
}

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// Writes an archive of one good and one faulty sample; `fault` is Python that adds to `zip`.
void write_archive(const Workplace& place, const std::string& fault) {
  const Ran made = run(R"(python3 - <<'PY'
import struct, zipfile, zlib
def png(width, height, value):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = (b'\0' + bytes([value]) * width) * height
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
with zipfile.ZipFile('archive.zip', 'w') as zip:
    for name in ('good', 'bad'):
        zip.writestr(f'{name}/images/{name}.png', png(40, 30, 90))
        zip.writestr(f'{name}/masks/first.png', png(40, 30, 255))
)" + fault + "\nPY\n",
                       place.path());
  ASSERT_EQ(made.code, 0) << made.error;
}

constexpr const char* from_archive = "run pipeline.toml --input unzip.archive=archive.zip";

TEST(Failure, ATypoInAKeyEndsWith78AndNamesThePlace) {
  std::string config = small_pipeline;
  config.replace(config.find("base_channels"), 13, "base_chanels");
  const Workplace place(config);
  const Failed failed = fail(place, "run pipeline.toml");
  EXPECT_EQ(failed.ran.code, 78);
  EXPECT_THAT(failed.ran.error,
              AllOf(HasSubstr("pipeline.toml:26:1: error[E2"), HasSubstr("did you mean 'base_channels'?")));
  EXPECT_EQ(times(failed.ran.error, "base_chanels'"), 1u) << "said once, not once a rank";
  EXPECT_FALSE(failed.alive);
  EXPECT_FALSE(std::filesystem::exists(place.path() / ".penstock"));
}

TEST(Failure, AMissingArchiveEndsWith65AndNamesIt) {
  const Workplace place;
  const Failed failed = fail(place, from_archive);
  EXPECT_EQ(failed.ran.code, 65);
  EXPECT_THAT(failed.ran.error, AllOf(HasSubstr("archive.zip"), HasSubstr("does not exist")));
  EXPECT_FALSE(failed.alive);
}

TEST(Failure, ATruncatedArchiveEndsWith65) {
  const Workplace place;
  write_archive(place, "");
  std::filesystem::resize_file(place.path() / "archive.zip",
                               std::filesystem::file_size(place.path() / "archive.zip") / 2);
  const Failed failed = fail(place, from_archive);
  EXPECT_EQ(failed.ran.code, 65);
  EXPECT_THAT(failed.ran.error, AllOf(HasSubstr("archive.zip"), HasSubstr("unzip")));
  EXPECT_FALSE(failed.alive);
  EXPECT_EQ(failed.staged, 0u);
}

TEST(Failure, ANonImageAmongTheMasksEndsWith65AndNamesTheEntry) {
  const Workplace place;
  write_archive(place, "    zip.writestr('bad/masks/notes.png', b'not an image at all')");
  const Failed failed = fail(place, from_archive);
  EXPECT_EQ(failed.ran.code, 65);
  EXPECT_THAT(failed.ran.error, HasSubstr("bad/masks/notes.png"));
  EXPECT_FALSE(failed.alive);
  EXPECT_EQ(failed.staged, 0u);
}

TEST(Failure, AMaskOfAnotherSizeEndsWith65AndNamesBothSizes) {
  const Workplace place;
  write_archive(place, "    zip.writestr('bad/masks/second.png', png(41, 30, 255))");
  const Failed failed = fail(place, from_archive);
  EXPECT_EQ(failed.ran.code, 65);
  EXPECT_THAT(failed.ran.error, AllOf(HasSubstr("bad/masks/second.png"), HasSubstr("41"), HasSubstr("40")));
  EXPECT_FALSE(failed.alive);
  EXPECT_EQ(failed.staged, 0u);
}

TEST(Failure, AFailedRunLeavesAReportThatSaysSo) {
  const Workplace place;
  write_archive(place, "    zip.writestr('bad/masks/notes.png', b'not an image at all')");
  ASSERT_EQ(place.penstock(from_archive).code, 65);
  const std::string report = text_of(place.path() / "runs/small/report.html");
  EXPECT_THAT(report, AllOf(HasSubstr("failed"), HasSubstr("notes.png")));
}

TEST(Failure, AWrongFlagEndsWith64AndNamesTheNearest) {
  const Workplace place;
  const Ran ran = place.penstock("run pipeline.toml --forse");
  EXPECT_EQ(ran.code, 64);
  EXPECT_THAT(ran.error, HasSubstr("did you mean '--force'?"));
}

}  // namespace
}  // namespace penstock
