#include <gtest/gtest.h>

#include <cmath>

#include "distributed/error.h"
#include "pipeline/digest.h"

namespace penstock::pipeline {
namespace {

// FIPS 180-4's example.
TEST(Digest, OfAbcIsTheStandardsOwn) {
  EXPECT_EQ(digest_of("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, IsReadFromSixtyFourLowerCaseHexDigitsOnly) {
  EXPECT_THROW(Digest::from_hex("ba78"), Error);
  EXPECT_THROW(Digest::from_hex(std::string(64, 'G')), Error);
}

TEST(Digest, AHasherThatHasGivenItsDigestIsSpent) {
  Hasher hasher;
  hasher.field("text").finish();
  EXPECT_THROW(hasher.finish(), Error);
}

TEST(Digest, FieldsAreTypedAndLengthPrefixed) {
  const Digest one = Hasher().field("1").finish();
  EXPECT_NE(one, Hasher().field(int64_t{1}).finish());
  EXPECT_NE(Hasher().field(int64_t{1}).finish(), Hasher().field(1.0).finish());
  EXPECT_NE(Hasher().field(int64_t{1}).finish(), Hasher().field(uint64_t{1}).finish());
  EXPECT_NE(Hasher().field("ab").field("c").finish(), Hasher().field("a").field("bc").finish());
}

TEST(Digest, ANumberInAKeyIsNotNaN) { EXPECT_THROW(Hasher().field(std::nan("")), Error); }

TEST(Digest, HexIsReadBack) {
  const Digest digest = digest_of("x");
  EXPECT_EQ(Digest::from_hex(digest.hex()), digest);
  EXPECT_THROW(Digest::from_hex("abc"), Error);
}

}  // namespace
}  // namespace penstock::pipeline
