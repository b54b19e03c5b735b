#include "stages/packs/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "distributed/check.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::HasSubstr;

void throw_error(ExitCode code) { throw Error(code, "a.png: truncated PNG"); }

TEST(Quarantine, OnlyWhatIsWrongWithDataIsAFaultOfAFile) {
  EXPECT_EQ(fault_in(OnBad::quarantine, [] { throw_error(ExitCode::data); }), "a.png: truncated PNG");
  EXPECT_EQ(fault_in(OnBad::quarantine, [] {}), std::nullopt);
  for (const ExitCode code : {ExitCode::interrupted, ExitCode::io, ExitCode::environment, ExitCode::internal}) {
    EXPECT_THROW(fault_in(OnBad::quarantine, [code] { throw_error(code); }), Error) << static_cast<int>(code);
  }
  EXPECT_THROW(fault_in(OnBad::quarantine, [] { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_THROW(fault_in(OnBad::quarantine, [] { PENSTOCK_CHECK(false, "never"); }), Error);
}

TEST(Quarantine, WithoutItTheFirstFaultIsThrown) {
  EXPECT_THROW(fault_in(OnBad::fail, [] { throw_error(ExitCode::data); }), Error);
}

TEST(Quarantine, AChunkMadeWithItIsRefusedWithoutIt) {
  const TemporaryFolder chunk;
  write_bad(chunk.path(), {{"a", "raw/a.png", "a.png: truncated PNG"}});
  ASSERT_EQ(bad_in({{"0", {}, chunk.path()}}, OnBad::quarantine).size(), 1u);
  EXPECT_EQ(bad_in({{"0", {}, chunk.path()}}, OnBad::quarantine).front().entry, "raw/a.png");
  try {
    bad_in({{"0", {}, chunk.path()}}, OnBad::fail);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_STREQ(error.what(), "a.png: truncated PNG");
  }
}

TEST(Quarantine, WithoutABadFileNothingIsWritten) {
  const TemporaryFolder chunk;
  write_bad(chunk.path(), {});
  EXPECT_TRUE(std::filesystem::is_empty(chunk.path()));
  Value index = Value::object();
  put_bad(index, {}, 5, "resize", "samples.json");
  EXPECT_TRUE(index.empty());
  EXPECT_TRUE(quarantined_in(index).empty());
}

TEST(Quarantine, TheListIsSortedById) {
  Value index = Value::object();
  put_bad(index, {{"b", "b.png", "broken"}, {"a", "a.png", "broken"}}, 3, "resize", "samples.json");
  EXPECT_EQ(index.at("quarantined")[0], (Value{{"id", "a"}, {"entry", "a.png"}, {"reason", "broken"}}));
  EXPECT_EQ(quarantined_in(index).size(), 2u);
}

TEST(Quarantine, OfAllSamplesLeavesNothingAndIsRefused) {
  Value index = Value::object();
  try {
    put_bad(index, {{"b", "b.png", "broken"}, {"a", "a.png", "torn"}}, 2, "resize", "samples.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("none of the 2 samples can be read"), HasSubstr("a (torn); b (broken)")));
  }
}

}  // namespace
}  // namespace penstock::stages
