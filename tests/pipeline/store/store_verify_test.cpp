// Reading a store through: every damage is found, and named with the stage it belongs to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"
#include "pipeline/store/store_verify.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class VerifyTest : public testing::Test {
 protected:
  Workshop shop{chain};
  std::map<std::string, std::string> digests = shop.run().digests;
  Store store{shop.path("store"), Store::Mode::read_write};

  fs::path file_of(const std::string& port) const {
    return store.object_files(Digest::from_hex(digests.at(port))) / "text.txt";
  }
  Verification verify(bool repair = false) const { return verify_store(store, repair, 3); }
};

TEST_F(VerifyTest, AStoreAfterARunIsClean) {
  const auto found = verify();
  EXPECT_THAT(found.bad, IsEmpty());
  EXPECT_EQ(found.objects, 4u) << "text, note, upper case, lines";
  EXPECT_EQ(found.keys, 6u);
  EXPECT_GE(found.chunks, 1u);
  EXPECT_GT(found.bytes, 0u);
}

TEST_F(VerifyTest, AChangedByteIsFoundAndItsStageNamed) {
  write_file(file_of("upper.text"), "HELLo\n");
  const auto found = verify();
  ASSERT_THAT(found.bad, SizeIs(3));
  EXPECT_EQ(found.bad[0].what, "object");
  EXPECT_EQ(found.bad[0].digest.hex(), digests.at("upper.text"));
  EXPECT_THAT(found.bad[0].stages, ElementsAre("upper"));
  EXPECT_EQ(found.bad[1].what, "key") << "and the two keys that name it";
  EXPECT_TRUE(fs::exists(file_of("upper.text"))) << "only looked at";
}

TEST_F(VerifyTest, AMissingAndAnAdditionalFileAreFound) {
  fs::remove(file_of("write.text"));
  std::ofstream(file_of("upper.text").parent_path() / "more.txt") << "more";
  EXPECT_THAT(verify().bad, SizeIs(6));
}

TEST_F(VerifyTest, ADamagedPartIsFoundWithItsStage) {
  const auto part = fs::directory_iterator(store.root() / "chunks")->path();
  fs::remove(part / "files/lines.txt");
  write_file(part / "files/lines.txt", "damaged");
  const auto found = verify();
  ASSERT_THAT(found.bad, SizeIs(1));
  EXPECT_EQ(found.bad[0].what, "chunk");
  EXPECT_THAT(found.bad[0].stages, ElementsAre("reverse"));
  EXPECT_THAT(verify(true).bad, SizeIs(1));
  EXPECT_THAT(verify().bad, IsEmpty());
}

TEST_F(VerifyTest, ARepairedStoreIsCleanAndTheNextRunMakesAgainWhatWasBad) {
  write_file(file_of("upper.text"), "damaged\n");
  std::ofstream(store.root() / "recipes" / digest_of("half").hex()) << "wri";
  EXPECT_THAT(verify(true).bad, SizeIs(4));
  EXPECT_THAT(verify().bad, IsEmpty());
  const auto outcome = shop.run();
  EXPECT_EQ(outcome.ended.at("write"), Ending::hit);
  EXPECT_EQ(outcome.ended.at("upper"), Ending::ran);
  EXPECT_EQ(outcome.reasons.at("upper"), "its stored output is gone");
  EXPECT_EQ(outcome.digests.at("upper.text"), digests.at("upper.text"));
  EXPECT_THAT(verify().bad, IsEmpty());
}

}  // namespace
}  // namespace penstock::pipeline
