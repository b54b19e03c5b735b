// From one store into another: what arrives is found, what is bad stays behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/fake_stages.h"
#include "pipeline/store/store_transfer.h"
#include "pipeline/store/store_verify.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TransferTest : public testing::Test {
 protected:
  Workshop here{chain};
  std::map<std::string, std::string> digests = here.run().digests;
  Store from{here.path("store"), Store::Mode::read_write};
  Workshop there{chain};
  Store to{there.path("store"), Store::Mode::read_write};

  Transferred send() { return transfer(from, to, all_parcels(from)); }
  // Sends a publication whose manifest is of other hands.
  Transferred send_foreign(const std::string& manifest, const KeyFields& fields) {
    const Publication publication{"kind", digest_of(manifest), fields.key(), {}};
    const fs::path folder = from.root() / "manifests" / publication.kind;
    fs::create_directories(folder);
    write_file(folder / publication.manifest.hex(), manifest);
    return transfer(from, to, {{std::make_shared<const Publication>(publication), {}}});
  }
  void damage(const std::string& port) const {
    write_file(from.object_files(Digest::from_hex(digests.at(port))) / "text.txt", "damaged");
  }
};

TEST_F(TransferTest, WhatArrivesIsFoundAndNothingIsMadeAgain) {
  const auto sent = send();
  EXPECT_EQ(sent.publications, 3u);
  EXPECT_EQ(sent.objects, 4u);
  EXPECT_GT(sent.bytes, 0u);
  const auto outcome = there.run();
  EXPECT_THAT(outcome.ended, testing::Each(testing::Pair(testing::_, Ending::hit)));
  EXPECT_EQ(outcome.digests, digests);
  EXPECT_THAT(there.calls.count, IsEmpty());
  EXPECT_THAT(verify_store(to, false, 2).bad, IsEmpty());
}

TEST_F(TransferTest, PartsAndProgressStayAndAttemptsGo) {
  send();
  EXPECT_TRUE(fs::is_empty(to.root() / "chunks"));
  EXPECT_TRUE(fs::is_empty(to.root() / "progress"));
  EXPECT_TRUE(fs::is_empty(to.root() / "staging"));
  for (const Parcel& parcel : all_parcels(to)) EXPECT_EQ(to.attempts(parcel.publication->action).size(), 1u);
}

TEST_F(TransferTest, ASecondTimeCopiesNothing) {
  send();
  const auto again = send();
  EXPECT_EQ(again.publications, 3u);
  EXPECT_EQ(again.objects, 0u);
}

TEST_F(TransferTest, ADamagedOutputIsNamedAndStaysBehindAndTheOthersGo) {
  damage("upper.text");
  const auto sent = send();
  EXPECT_EQ(sent.publications, 2u);
  EXPECT_THAT(sent.refused, ElementsAre(HasSubstr("upper (text) is damaged")));
  EXPECT_TRUE(fs::is_empty(to.root() / "staging"));
  EXPECT_EQ(there.run().ended.at("upper"), Ending::ran);
}

TEST_F(TransferTest, AnOutputThatIsGoneIsNamed) {
  fs::remove_all(from.object_files(Digest::from_hex(digests.at("upper.text"))));
  EXPECT_THAT(send().refused, ElementsAre(HasSubstr("upper (text) is gone")));
}

TEST_F(TransferTest, AKindThatLeadsOutOfTheStoreIsRefusedAndNothingIsWrittenThere) {
  const auto sent =
      send_foreign(R"({"stage": "s", "fields": [["kind", "../../out"]], "ports": []})", {{{"kind", "../../out"}}});
  EXPECT_THAT(sent.refused, ElementsAre(HasSubstr("manifest is gone or damaged")));
  EXPECT_FALSE(fs::exists(there.path("out")));
}

TEST_F(TransferTest, AManifestOfOtherOutputsThanItsKeyNamesIsRefused) {
  const std::string port = R"({"port": "p", "volatile": false, "digest": ")" + digests.at("upper.text") + "\"}";
  const auto sent =
      send_foreign(R"({"stage": "s", "fields": [["kind", "k"]], "ports": [)" + port + "]}", {{{"kind", "k"}}});
  EXPECT_THAT(sent.refused, ElementsAre(HasSubstr("manifest is gone or damaged")));
}

TEST_F(TransferTest, AttemptsWithoutANumberAreLeftOut) {
  const KeyFields fields{{{"kind", "k"}}};
  const fs::path folder = from.root() / "attempts" / fields.key().hex();
  fs::create_directories(folder);
  write_file(folder / "1.json", R"({"attempt": 0})");
  write_file(folder / "2.json", R"({"attempt": 2147483647})");
  EXPECT_EQ(send_foreign(R"({"stage": "s", "fields": [["kind", "k"]], "ports": []})", fields).publications, 1u);
  EXPECT_THAT(to.attempts(fields.key()), IsEmpty());
  EXPECT_EQ(from.next_attempt(fields.key()), 1);
}

TEST_F(TransferTest, ADamagedOutputAtTheOtherEndIsReplaced) {
  send();
  write_file(to.object_files(Digest::from_hex(digests.at("write.text"))) / "text.txt", "damaged");
  Store fresh(to.root(), Store::Mode::read_write);
  EXPECT_EQ(transfer(from, fresh, all_parcels(from)).objects, 1u);
  EXPECT_EQ(read_file(to.object_files(Digest::from_hex(digests.at("write.text"))) / "text.txt"), "hello\n");
}

TEST_F(TransferTest, WhatWasPublishedThereFirstStays) {
  there.kinds.at(1).body = [] {
    return body_of(
        [](StageContext& context) { write_file(context.output("text") / "text.txt", "of another machine"); });
  };
  const auto first = there.run().digests;
  EXPECT_EQ(send().kept, 1u);
  EXPECT_EQ(there.run().digests.at("upper.text"), first.at("upper.text"));
}

}  // namespace
}  // namespace penstock::pipeline
