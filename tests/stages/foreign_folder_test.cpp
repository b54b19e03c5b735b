// Folders of images as DVC, git-annex, DataLad, Nextflow and old Windows shares leave them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "context.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/archives/archives.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class ForeignFolder : public testing::Test {
 protected:
  void SetUp() override {
    pipeline::write_file(real() / "x/images/x.png", grey_png(8, 6, 90));
    pipeline::write_file(real() / "x/masks/1.png", grey_png(8, 6, 255));
  }
  fs::path real() const { return bench_.path() / "real"; }
  fs::path linked() const { return bench_.path() / "linked"; }
  std::string catalogue(const fs::path& folder) {
    return pipeline::read_file(bench_.run("unzip", {{"archive", {folder}}}).at("images") / "catalogue.json");
  }
  // The message with which the folder is refused; "(accepted)".
  std::string refusal(const fs::path& folder) {
    return refusal_of([&] { catalogue(folder); }, ExitCode::data);
  }

  Bench bench_;
};

TEST_F(ForeignFolder, LinksToFilesAreTheirContent) {
  fs::create_directories(linked() / "x/images");
  fs::create_directories(linked() / "x/masks");
  fs::create_symlink(real() / "x/images/x.png", linked() / "x/images/x.png");
  fs::create_symlink(real() / "x/masks/1.png", linked() / "x/masks/1.png");
  EXPECT_EQ(catalogue(linked()), catalogue(real()));
}

TEST_F(ForeignFolder, LinksToFoldersAreTheirContent) {
  fs::create_directory(linked());
  fs::create_directory_symlink(real() / "x", linked() / "x");
  EXPECT_EQ(catalogue(linked()), catalogue(real()));
}

TEST_F(ForeignFolder, WhatVersionControlKeepsIsNoSample) {
  pipeline::write_file(real() / ".git/annex/objects/k1/k1.png", grey_png(8, 6, 90));
  pipeline::write_file(real() / "sub/.dvc/cache/k2.png", grey_png(8, 6, 90));
  const pipeline::Value found = pipeline::Value::parse(catalogue(real()));
  EXPECT_EQ(found.at("samples").size(), 1u);
  EXPECT_EQ(found.at("ignored").size(), 2u);
}

TEST_F(ForeignFolder, ASampleWhoseNameIsNotUtf8IsRefusedByName) {
  pipeline::write_file(real() / "k\xE4se.png", grey_png(8, 6, 90));
  EXPECT_THAT(refusal(real()), AllOf(HasSubstr("real/k\\xE4se.png"), HasSubstr("not UTF-8"), HasSubstr("convmv")));
  fs::remove(real() / "k\xE4se.png");
  fs::rename(real() / "x", real() / "k\xE4se");
  EXPECT_THAT(refusal(real()), HasSubstr("real/k\\xE4se/"));
}

TEST_F(ForeignFolder, AFileThatIsNoSampleMayHaveAnyName) {
  pipeline::write_file(real() / "lies mich, k\xE4se.txt", "");
  EXPECT_THAT(catalogue(real()), HasSubstr("lies mich, k\\\\xE4se.txt"));
}

TEST_F(ForeignFolder, ALineBreakInANameIsNoLineBreakInAMessage) {
  pipeline::write_file(real() / "a/two\nlines.png", grey_png(8, 6, 90));
  pipeline::write_file(real() / "a/two\nlines.tif", grey_png(8, 6, 90));
  EXPECT_THAT(refusal(real()), AllOf(HasSubstr("two\\nlines"), testing::Not(HasSubstr("\n"))));
}

// The name says UTF-8 (bit 11 of the flags) and is not.
TEST_F(ForeignFolder, AnArchiveThatLiesAboutItsEncodingIsRefusedByName) {
  const fs::path file = bench_.path() / "a.zip";
  write_zip(file, {{"\xC3\xA4zz/images/x.png", grey_png(8, 6, 90)}});
  std::string bytes = pipeline::read_file(file);
  for (size_t at; (at = bytes.find("\xC3\xA4zz")) != std::string::npos;) bytes.replace(at, 2, "\xE4\xE4");
  pipeline::write_file(file, bytes);
  EXPECT_THAT(refusal(file), HasSubstr("a.zip"));
}

TEST_F(ForeignFolder, AnArchiveThatIsALinkToNothingIsNamedAsOne) {
  fs::create_symlink("../.git/annex/objects/k", bench_.path() / "a.zip");
  EXPECT_THAT(refusal(bench_.path() / "a.zip"), AllOf(HasSubstr("a.zip: is a link"), HasSubstr("git annex get")));
}

TEST_F(ForeignFolder, AFifoWhereAnArchiveShouldBeIsNamed) {
  ASSERT_EQ(mkfifo((bench_.path() / "pipe.zip").c_str(), 0644), 0);
  EXPECT_THAT(refusal(bench_.path() / "pipe.zip"), AllOf(HasSubstr("pipe.zip"), HasSubstr("is a FIFO")));
}

TEST_F(ForeignFolder, AnInterruptionEndsTheDigestOfItsFiles) {
  bench_.interrupt();
  try {
    catalogue(real());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::interrupted);
    EXPECT_THAT(error.what(), HasSubstr("while reading"));
  }
}

TEST_F(ForeignFolder, AnInterruptionEndsTheDrawingOfAnArchive) {
  bench_.interrupt();
  try {
    bench_.run("synthesize", {});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::interrupted);
  }
}

}  // namespace
}  // namespace penstock::stages
