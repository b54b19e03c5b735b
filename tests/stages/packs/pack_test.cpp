#include <gtest/gtest.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/packs/pack.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

std::string some_pack(uint8_t value = 7) {
  PackWriter writer("samples");
  const std::vector<uint8_t> bytes = {1, 2, 3, value}, wide = {0, 0, 128, 63};
  writer.add("a/image", Element::u8, {2, 2}, bytes);
  writer.add("a/weights", Element::f32, {1}, wide);
  writer.close_sample("a", {{"width", 2}});
  std::string file;
  for (const std::string_view piece : writer.pieces()) file += piece;
  return file;
}

TEST(Pack, GivesBackArraysAndRecords) {
  TemporaryFolder folder;
  pipeline::write_file(folder.path() / "p", some_pack());
  const Pack pack(folder.path() / "p");
  EXPECT_EQ(pack.array("a/image").shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(pack.array("a/image").bytes[3], 7);
  EXPECT_EQ(*reinterpret_cast<const float*>(pack.array("a/weights").bytes.data()), 1.0f);
  EXPECT_EQ(pack.samples().at(0).at("width"), 2);
  EXPECT_THROW(pack.array("b"), Error);
}

TEST(Pack, ASamplesDigestIsOfItsBytes) {
  TemporaryFolder folder;
  pipeline::write_file(folder.path() / "one", some_pack(7));
  pipeline::write_file(folder.path() / "two", some_pack(8));
  EXPECT_NE(Pack(folder.path() / "one").samples().at(0).at("digest"),
            Pack(folder.path() / "two").samples().at(0).at("digest"));
}

TEST(Pack, RefusesWhatWouldMakeASamplesDigestOrItsArraysWrong) {
  PackWriter writer("samples");
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  EXPECT_THROW(writer.close_sample("a", {}), Error) << "a sample without arrays";
  EXPECT_THROW(writer.add("a/image", Element::u8, {2, 3}, bytes), Error) << "too few bytes";
  EXPECT_THROW(writer.add("a/image", Element::u8, {-2, -2}, bytes), Error) << "negative sides";
  writer.add("a/image", Element::u8, {2, 2}, bytes);
  EXPECT_THROW(writer.add("a/image", Element::u8, {2, 2}, bytes), Error) << "twice";
  writer.close_sample("a", {{"width", 2}});
  EXPECT_THROW(writer.close_sample("a", {{"width", 2}}), Error) << "closed twice";
  EXPECT_THROW(writer.add("a/mask", Element::u8, {2, 2}, bytes), Error) << "after the sample was closed";
}

// Cut anywhere, or any byte of the header changed: refused or still whole, never read out of bounds.
TEST(Pack, ADamagedContainerIsRefusedOrStillWhole) {
  TemporaryFolder folder;
  const std::string good = some_pack();
  int refused = 0;
  const auto try_read = [&](const std::string& bytes) {
    pipeline::write_file(folder.path() / "bad", bytes);
    try {
      const Pack pack(folder.path() / "bad");
      for (const std::string& name : pack.names()) {
        for (const uint8_t byte : pack.array(name).bytes) EXPECT_LT(byte, 256);
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      ++refused;
    }
  };
  for (size_t cut = 0; cut < good.size(); ++cut) try_read(good.substr(0, cut));
  EXPECT_EQ(refused, static_cast<int>(good.size())) << "every cut is noticed";
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x15);
    try_read(bad);
  }
}

}  // namespace
}  // namespace penstock::stages
