#include <gtest/gtest.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "process.h"
#include "stages/compute/data/hdf5_file.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

std::string some_file() {
  Hdf5Writer writer;
  std::vector<uint8_t> values(6 * 50);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i);
  writer.add({"images", Element::u8, {6, 50}, "row, x", "some values", 2}, values.data());
  writer.add({"labels", Element::u16, {0}, "value", "nothing", 1, true}, nullptr);
  writer.add_texts("ids", {"a", "longer id"}, "names");
  writer.attribute("format", "test");
  return std::string(writer.finish().bytes());
}

TEST(Hdf5, GivesBackWhatItWasGiven) {
  TemporaryFolder folder;
  pipeline::write_file(folder.path() / "x.h5", some_file());
  const Hdf5Reader reader(folder.path() / "x.h5");
  EXPECT_EQ(reader.shape("images"), (std::vector<uint64_t>{6, 50}));
  EXPECT_EQ(reader.read("images", Element::u8)[299], static_cast<uint8_t>(299));
  EXPECT_TRUE(reader.read("labels", Element::u16).empty());
  EXPECT_EQ(reader.read_texts("ids"), (std::vector<std::string>{"a", "longer id"}));
  EXPECT_THROW(reader.read("images", Element::u16), Error);
  EXPECT_THROW(reader.read("masks", Element::u8), Error);
}

TEST(Hdf5, GivesRowsOfWhatItWasGiven) {
  TemporaryFolder folder;
  pipeline::write_file(folder.path() / "x.h5", some_file());
  const Hdf5Reader reader(folder.path() / "x.h5");
  const auto all = reader.read("images", Element::u8);
  for (const size_t first : {0, 1, 3, 5}) {
    for (const size_t count : {0, 1, 6 - static_cast<int>(first)})
      EXPECT_EQ(reader.read_rows("images", Element::u8, first, count),
                std::vector<uint8_t>(all.begin() + static_cast<ptrdiff_t>(first * 50),
                                     all.begin() + static_cast<ptrdiff_t>((first + count) * 50)));
  }
  EXPECT_THROW(reader.read_rows("images", Element::u8, 5, 2), Error) << "there are six";
  EXPECT_THROW(reader.read_rows("images", Element::u16, 0, 1), Error);
  EXPECT_THROW(reader.read_rows("masks", Element::u8, 0, 1), Error);
}

TEST(Hdf5, TheSameContentIsTheSameBytes) { EXPECT_EQ(some_file(), some_file()); }

// As threads do that make the shards of several buckets.
TEST(Hdf5, SeveralFilesMayBeMadeAtOnce) {
  const std::string expected = some_file();
  Hdf5Writer unfinished;
  EXPECT_EQ(some_file(), expected);
}

TEST(Hdf5, AFlippedByteOfDataIsNoticed) {
  TemporaryFolder folder;
  const std::string good = some_file();
  const std::string values("\x64\x65\x66\x67\x68", 5);  // 100, 101 ..
  const size_t at = good.find(values);
  ASSERT_NE(at, std::string::npos);
  std::string bad = good;
  bad[at] = static_cast<char>(bad[at] ^ 1);
  pipeline::write_file(folder.path() / "x.h5", bad);
  EXPECT_THROW(Hdf5Reader(folder.path() / "x.h5").read("images", Element::u8), Error);
}

TEST(Hdf5, OpensInH5py) {
  TemporaryFolder folder;
  pipeline::write_file(folder.path() / "x.h5", some_file());
  if (run("/usr/bin/python3 -c 'import h5py'", folder.path()).code != 0)
    GTEST_SKIP() << "not run: no h5py on this machine (launch/setup --tests)";
  const Ran ran =
      run("/usr/bin/python3 -c \"import h5py; f = h5py.File('x.h5'); print(f['images'][5, 49], f['ids'][1].decode(), "
          "f['images'].attrs['axes'])\"",
          folder.path());
  EXPECT_EQ(ran.out, "43 longer id row, x\n") << ran.error;
}

}  // namespace
}  // namespace penstock::stages
