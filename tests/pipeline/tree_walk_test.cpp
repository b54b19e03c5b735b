// Folders as people have them: with links into an annex, FIFOs, names in an old encoding.
#include "pipeline/tree_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "pipeline/interruption.h"
#include "pipeline/store/sealed_folder.h"
#include "pipeline/store/stat_cache.h"
#include "temporary_folder.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// What is thrown with Error(data).
std::string refusal(const std::function<void()>& body) { return refusal_of(body, ExitCode::data); }

class Trees : public testing::Test {
 protected:
  void SetUp() override {
    write_file(annex() / "1.png", "first");
    write_file(annex() / "2.png", "second");
    fs::create_directory(root());
  }
  fs::path root() const { return folder_.path() / "data"; }
  fs::path annex() const { return folder_.path() / "annex"; }
  std::string input_refusal() const {
    return refusal([this] { tree_of(root()); });
  }
  std::string stored_refusal() const {
    return refusal([this] { list_tree(root()); });
  }
  Digest look() { return StatCache(folder_.path() / "cache").look(root()).digest; }

  TemporaryFolder folder_;
};

TEST_F(Trees, LinksToFilesAndFoldersDigestAsWhatTheyLeadTo) {
  fs::create_directory_symlink("../annex", root() / "a");
  fs::create_symlink(annex() / "2.png", root() / "b.png");
  const Digest linked = look();
  fs::remove(root() / "a");
  fs::remove(root() / "b.png");
  fs::copy(annex(), root() / "a");
  fs::copy_file(annex() / "2.png", root() / "b.png");
  EXPECT_EQ(linked, look());
}

TEST_F(Trees, ACopyHoldsWhatLinksLeadTo) {
  fs::create_directory_symlink("../annex", root() / "a");
  fs::create_directory(root() / "empty");
  copy_tree(root(), folder_.path() / "copy");
  EXPECT_EQ(read_file(folder_.path() / "copy/a/1.png"), "first");
  EXPECT_FALSE(fs::is_symlink(folder_.path() / "copy/a"));
  EXPECT_TRUE(fs::is_directory(folder_.path() / "copy/empty"));
}

TEST_F(Trees, ALinkThatLeadsElsewhereOrWhoseTargetChangesIsSeen) {
  fs::create_symlink(annex() / "1.png", root() / "x.png");
  const Digest digest = look(), signature = stat_signature(root());
  fs::remove(root() / "x.png");
  fs::create_symlink(annex() / "2.png", root() / "x.png");
  EXPECT_NE(look(), digest);
  EXPECT_NE(stat_signature(root()), signature);
  const Digest second = look(), second_signature = stat_signature(root());
  write_file(annex() / "2.png", "edited");
  EXPECT_NE(look(), second);
  EXPECT_NE(stat_signature(root()), second_signature);
}

TEST_F(Trees, ALinkToNothingIsNamedWithWhatToDo) {
  fs::create_symlink("../.git/annex/objects/k", root() / "x.png");
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/x.png"), HasSubstr("'../.git/annex/objects/k', which does not"),
                                     HasSubstr("git annex get")));
}

TEST_F(Trees, AnInputThatIsItselfALinkToNothingIsNamedAsOne) {
  const fs::path link = folder_.path() / "link.zip";
  const auto look_at = [&] { return refusal([&] { StatCache(folder_.path() / "cache").look(link); }); };
  fs::create_symlink("annex/gone.zip", link);
  EXPECT_THAT(look_at(), AllOf(HasSubstr("link.zip: is a link to 'annex/gone.zip'"), HasSubstr("dvc pull")));
  fs::remove(link);
  fs::create_symlink("link.zip", link);
  EXPECT_THAT(look_at(), HasSubstr("back to itself"));
}

TEST_F(Trees, LinksThatNeverEndAreNamed) {
  fs::create_symlink("self", root() / "self");
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/self"), HasSubstr("back to itself")));
  fs::remove(root() / "self");
  fs::create_directories(root() / "deep/er");
  fs::create_directory_symlink("../..", root() / "deep/er/up");
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/deep/er/up"), HasSubstr("a folder that holds it")));
  fs::remove(root() / "deep/er/up");
  fs::create_directory_symlink("../..", root() / "above");  // what lies beside the input is not read at all
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/above: is a link"), testing::Not(HasSubstr("above/"))));
}

TEST_F(Trees, AFolderThatIsLinkedTwiceIsReadTwice) {
  fs::create_directory_symlink("../annex", root() / "a");
  fs::create_directory_symlink("../annex", root() / "b");
  EXPECT_EQ(tree_of(root()).size(), 4u);
}

TEST_F(Trees, SpecialFilesAndLinksToThemAreNamed) {
  ASSERT_EQ(mkfifo((root() / "pipe").c_str(), 0644), 0);
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/pipe"), HasSubstr("is a FIFO")));
  EXPECT_THAT(stored_refusal(), AllOf(HasSubstr("data/pipe"), HasSubstr("is a FIFO")));
  EXPECT_THAT(refusal([this] { copy_tree(root(), folder_.path() / "copy"); }), HasSubstr("is a FIFO"));
  fs::remove(root() / "pipe");
  fs::create_symlink("/dev/null", root() / "null");
  EXPECT_THAT(input_refusal(), AllOf(HasSubstr("data/null"), HasSubstr("'/dev/null', which is a device")));
}

TEST_F(Trees, AFifoIsNeverOpenedToBeRead) {
  const fs::path pipe = folder_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0644), 0);
  EXPECT_THAT(refusal([&] { read_file(pipe); }), HasSubstr("is a FIFO"));
  EXPECT_THAT(refusal([&] { digest_of_file(pipe); }), HasSubstr("is a FIFO"));
  EXPECT_THAT(refusal([&] { copy_tree(pipe, folder_.path() / "copy"); }), HasSubstr("is a FIFO"));
  EXPECT_THAT(refusal([&] { StatCache(folder_.path() / "cache").look(pipe); }), HasSubstr("is a FIFO"));
  EXPECT_THAT(refusal([&] { StatCache(folder_.path() / "cache").look("/dev/zero"); }), HasSubstr("is a device"));
}

TEST_F(Trees, WhatTheStoreCannotHoldIsRefusedBeforeItIsOpened) {
  const auto seal_refusal = [this] { return refusal([this] { seal(root(), folder_.path() / "holder"); }); };
  ASSERT_EQ(mkfifo((root() / "pipe").c_str(), 0644), 0);
  EXPECT_THAT(seal_refusal(), HasSubstr("is a FIFO"));
  fs::remove(root() / "pipe");
  fs::create_symlink(annex() / "1.png", root() / "x.png");
  EXPECT_THAT(seal_refusal(), AllOf(HasSubstr("data/x.png"), HasSubstr("is a symbolic link")));
  fs::remove(root() / "x.png");
  write_file(root() / "k\xE4se.png", "");
  EXPECT_THAT(seal_refusal(), AllOf(HasSubstr("data/k\\xE4se.png"), HasSubstr("not UTF-8")));
  fs::remove_all(root());
  fs::create_directory_symlink("annex", root());
  EXPECT_THAT(seal_refusal(), HasSubstr("is a symbolic link where a folder should be"));
}

TEST_F(Trees, ANameInAnOldEncodingIsDigestedInAnInput) {
  const Digest before = look();
  write_file(root() / "k\xE4se.png", "");
  EXPECT_NE(look(), before);
}

TEST_F(Trees, AnInterruptionEndsADigest) {
  const fs::path file = folder_.path() / "large";
  write_file(file, std::string(1 << 20, 'x'));
  std::atomic<bool> flag{true};
  {
    const Interruptible scope(flag);
    for (const auto& read : {std::function<void()>([&] { digest_of_file(file); }), {[&] { tree_of(annex()); }}}) {
      try {
        read();
        ADD_FAILURE() << "it was read to its end";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::interrupted);
      }
    }
    flag = false;
    digest_of_file(file);
    flag = true;
  }
  digest_of_file(file);  // outside of the scope
}

TEST_F(Trees, AnInterruptedVerificationFindsNoDamage) {
  const fs::path holder = folder_.path() / "holder";
  const Digest digest = seal(annex(), holder);
  std::atomic<bool> flag{true};
  {
    const Interruptible scope(flag);
    EXPECT_THROW(verified(holder), Error);
  }
  EXPECT_EQ(verified(holder), digest);
}

}  // namespace
}  // namespace penstock::pipeline
