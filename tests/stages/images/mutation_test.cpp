// Damaged files: thousands of mutations of each format are refused by name or read, within the caps; never a crash.
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/images/damaged_files.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

struct Count {
  int read = 0, refused = 0;
};

void try_file(const std::string& file, int64_t seed, Count& count) {
  const PageChoice::How hows[] = {PageChoice::How::only, PageChoice::How::one, PageChoice::How::maximum,
                                  PageChoice::How::mean};
  const PageChoice choice{hows[seed % 4], 1 + seed % 3};
  for (const bool labels : {false, true}) {
    try {
      if (labels) {
        const LabelsImage image = decode_labels_image(span_of(file), "damaged.file", choice);
        EXPECT_EQ(image.values.size(), static_cast<size_t>(image.width) * image.height);
      } else {
        check_whole(decode_image(span_of(file), "damaged.file", choice));
      }
      ++count.read;
    } catch (const Error& error) {
      ++count.refused;
      EXPECT_EQ(error.code(), ExitCode::data) << error.what();
      EXPECT_TRUE(std::string_view(error.what()).starts_with("damaged.file")) << error.what();
    }
  }
}

void claim(const std::vector<std::string>& files, int rounds, bool mend_checksums = false) {
  Count count;
  for (int64_t round = 0; round < rounds; ++round) {
    const std::string file = mutated(files[static_cast<size_t>(round) % files.size()], round);
    try_file(mend_checksums && round % 3 != 0 ? with_checksums(file) : file, round, count);
  }
  EXPECT_GT(count.read, 0);
  EXPECT_GT(count.refused, rounds / 8);
}

TEST(Mutations, OfTiffsAreReadOrRefused) { claim(tiffs(), 20000); }
TEST(Mutations, OfPngsAreReadOrRefused) { claim(pngs(), 20000, true); }
TEST(Mutations, OfJpegsAreReadOrRefused) { claim(jpegs(), 20000); }

}  // namespace
}  // namespace penstock::stages
