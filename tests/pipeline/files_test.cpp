#include <gtest/gtest.h>

#include <sys/stat.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/large_files.h"
#include "pipeline/store/stat_cache.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

TEST(Files, AWrittenFileLeavesNothingBesideIt) {
  TemporaryFolder folder;
  write_file(folder.path() / "a/b.txt", "text");
  EXPECT_EQ(read_file(folder.path() / "a/b.txt"), "text");
  ASSERT_EQ(tree_of(folder.path()).size(), 1u);
  EXPECT_EQ(tree_of(folder.path()).front().path, "a/b.txt");
}

TEST(Files, AFullDiskIsAnIoErrorAndKeepsTheOldFile) {
  EXPECT_THROW(
      {
        try {
          write_file("/dev/full/x", "text");
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ExitCode::cannot_create);
          throw;
        }
      },
      Error);
}

TEST(Files, PiecesOfAWriterAreSeenWhenItCommits) {
  const TemporaryFolder folder;
  const std::string large(size_t{1} << 20, 'x');
  {
    FileWriter writer(folder.path() / "a/b.txt");
    for (const std::string& piece : {std::string("small"), large, std::string("end")}) writer.write(piece);
    EXPECT_FALSE(fs::exists(folder.path() / "a/b.txt"));
    writer.commit();
    EXPECT_EQ(read_file(folder.path() / "a/b.txt"), "small" + large + "end");
    FileWriter(folder.path() / "a/b.txt").write("never committed");
  }
  EXPECT_EQ(read_file(folder.path() / "a/b.txt"), "small" + large + "end");
  EXPECT_EQ(tree_of(folder.path()).size(), 1u);
}

TEST(Files, ATreesDigestSeesNamesAndContentsButNotTimes) {
  TemporaryFolder a, b;
  for (const fs::path& folder : {a.path(), b.path()}) {
    write_file(folder / "x", "1");
    write_file(folder / "y/z", "2");
  }
  const auto digest = [](const TemporaryFolder& folder) { return digest_of_tree(list_tree(folder.path())); };
  EXPECT_EQ(digest(a), digest(b));
  fs::rename(b.path() / "x", b.path() / "w");
  EXPECT_NE(digest(a), digest(b));
}

TEST(Files, ALinkInATreeOfTheStoreIsRefused) {
  TemporaryFolder folder;
  fs::create_symlink("/etc/passwd", folder.path() / "link");
  EXPECT_THROW(list_tree(folder.path()), Error);
}

TEST(StatCache, AFileRewrittenWithItsOldTimesIsReadAgain) {
  TemporaryFolder folder;
  const fs::path file = folder.path() / "file";
  write_file(file, "one");
  const auto old_time = fs::last_write_time(file) - std::chrono::hours(1);
  fs::last_write_time(file, old_time);
  const Digest before = StatCache(folder.path() / "cache").look(file).digest;
  write_file(file, "two");
  fs::last_write_time(file, old_time);
  EXPECT_NE(StatCache(folder.path() / "cache").look(file).digest, before);
}

TEST(StatCache, AMissingFileIsNamed) {
  TemporaryFolder folder;
  try {
    StatCache(folder.path()).look(folder.path() / "nowhere.zip");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("nowhere.zip does not exist"), std::string::npos);
  }
}

TEST(StatCache, TheSignatureSeesAnEditBelowAFolder) {
  TemporaryFolder folder;
  write_file(folder.path() / "a/x", "1");
  const Digest before = stat_signature(folder.path());
  write_file(folder.path() / "a/x", "2");
  EXPECT_NE(stat_signature(folder.path()), before);
}

TEST(Files, ALinkOverALinkToTheSameFileLeavesItsBytes) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", std::string("bytes"));
  link_or_copy(folder.path() / "a", folder.path() / "b");
  link_or_copy(folder.path() / "a", folder.path() / "b");
  EXPECT_EQ(read_file(folder.path() / "a"), "bytes");
  EXPECT_EQ(read_file(folder.path() / "b"), "bytes");
}

}  // namespace
}  // namespace penstock::pipeline
