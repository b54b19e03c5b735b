// on_bad = "quarantine" through unzip, resize and inspect: a sample whose image or mask cannot be read is left out as a
// whole, and listed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/context.h"
#include "stages/images/png_codec.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

// A grey square of `side` pixels with a brighter one of 8 in it, its corner at (at, at); 0: none.
std::string png(uint8_t ground, uint8_t square, int at = 4, int side = 32) {
  Image image{side, side, 1, 8, std::vector<uint8_t>(static_cast<size_t>(side) * side, ground)};
  for (int y = at; square > 0 && y < at + 8; ++y) {
    for (int x = at; x < at + 8; ++x) image.bytes[static_cast<size_t>(y) * side + x] = square;
  }
  return encode_png(image);
}
std::string half(const std::string& bytes) { return bytes.substr(0, bytes.size() / 2); }

// Samples "a" to "d" of two masks each, in the layout of the Data Science Bowl.
class DataSet {
 public:
  explicit DataSet(const std::string& ids = "abcd") {
    for (const char c : ids) {
      const std::string id(1, c);
      with(id + "/images/" + id + ".png", png(static_cast<uint8_t>(c), 200));
      with(id + "/masks/1.png", png(0, 255)).with(id + "/masks/2.png", png(0, 255, 20));
    }
  }
  DataSet& with(const std::string& name, const std::string& bytes) {
    pipeline::write_file(bench_.path() / "set" / name, bytes);
    return *this;
  }
  const fs::path& resized(pipeline::Values values = {{"on_bad", "quarantine"}}) {
    unzipped_ = bench_.run("unzip", {{"archive", {bench_.path() / "set"}}}).at("images");
    values.insert({{"width", 16}, {"height", 16}});
    return resized_ = bench_.run("resize", {{"images", {unzipped_}}}, values).at("samples");
  }
  Value samples(const pipeline::Values& values = {{"on_bad", "quarantine"}}) {
    return Value::parse(pipeline::read_file(resized(values) / "samples.json"));
  }
  Value inspected(const std::string& file) {
    resized();
    const auto summary = bench_.run("inspect", {{"images", {unzipped_}}, {"samples", {resized_}}}).at("summary");
    return Value::parse(pipeline::read_file(summary / file));
  }
  std::string refusal(const pipeline::Values& values) {
    return refusal_of([&] { resized(values); }, ExitCode::data);
  }

 private:
  Bench bench_;
  fs::path unzipped_, resized_;
};

std::string ids(const Value& rows) {
  std::string all;
  for (const Value& row : rows) all += row.at("id").get<std::string>();
  return all;
}

TEST(QuarantinedSamples, TakesASampleWhoseImageIsDamaged) {
  const Value samples = DataSet().with("b/images/b.png", half(png('b', 200))).samples();
  EXPECT_EQ(ids(samples.at("samples")), "acd");
  ASSERT_EQ(ids(samples.at("quarantined")), "b");
  EXPECT_EQ(samples.at("left_out"), Value::array({"b"}));
  const Value& bad = samples.at("quarantined")[0];
  EXPECT_EQ(bad.at("entry"), "b/images/b.png");
  EXPECT_THAT(bad.at("reason").get<std::string>(), AllOf(HasSubstr("b/images/b.png"), HasSubstr("truncated")));
}

TEST(QuarantinedSamples, TakesTheWholeSampleWhereOneMaskOfSeveralIsDamaged) {
  const Value samples = DataSet().with("c/masks/2.png", "no image at all").samples();
  EXPECT_EQ(ids(samples.at("samples")), "abd");
  EXPECT_THAT(samples.at("quarantined")[0].at("reason").get<std::string>(), HasSubstr("c/masks/2.png"));
}

TEST(QuarantinedSamples, TakesASampleWhoseMaskHasAnotherSizeThanItsImage) {
  const Value samples = DataSet().with("a/masks/1.png", png(0, 255, 4, 24)).samples();
  EXPECT_EQ(ids(samples.at("quarantined")), "a");
  EXPECT_THAT(samples.at("quarantined")[0].at("reason").get<std::string>(),
              AllOf(HasSubstr("24 x 24"), HasSubstr("32 x 32")));
}

TEST(QuarantinedSamples, LeavesTheOthersAsIfTheBadOnesHadBeenExcluded) {
  DataSet set;
  set.with("b/masks/1.png", "broken").with("d/images/d.png", "broken");
  const Value left = set.samples();
  const Value without = set.samples({{"exclude", {"b", "d"}}});
  EXPECT_EQ(left.at("samples"), without.at("samples"));
  EXPECT_EQ(left.at("masks"), without.at("masks"));
}

TEST(QuarantinedSamples, WithoutABadFileChangesNoByte) {
  DataSet set;
  const fs::path with = set.resized();
  const fs::path without = set.resized({});
  ASSERT_GT(std::distance(fs::directory_iterator(with), {}), 1);
  for (const auto& file : fs::directory_iterator(with))
    EXPECT_EQ(pipeline::read_file(file), pipeline::read_file(without / file.path().filename())) << file;
}

TEST(QuarantinedSamples, IsNotTheDefault) {
  DataSet set;
  set.with("b/images/b.png", half(png('b', 200)));
  EXPECT_THAT(set.refusal({}), AllOf(HasSubstr("b/images/b.png"), HasSubstr("truncated")));
}

TEST(QuarantinedSamples, OfEverySampleIsRefused) {
  DataSet set("ab");
  set.with("a/images/a.png", "broken").with("b/masks/2.png", "broken");
  EXPECT_THAT(set.refusal({{"on_bad", "quarantine"}}),
              AllOf(HasSubstr("none of the 2 samples can be read"), HasSubstr("a/images/a.png")));
}

TEST(QuarantinedSamples, AMaskThatCannotBeReadHasNoSayInWhatMasksMean) {
  DataSet set("");
  for (const char* id : {"a", "b", "c"}) {
    set.with("images/" + std::string(id) + ".png", png(static_cast<uint8_t>(*id), 200));
    set.with("masks/" + std::string(id) + ".png", png(0, 255));
  }
  set.with("masks/b.png", half(png(0, 255)));
  const Value samples = set.samples();
  EXPECT_EQ(samples.at("masks").at("meaning"), "binary");
  EXPECT_THAT(samples.at("masks").at("why").get<std::string>(), HasSubstr("2 of 2 masks"));
  EXPECT_EQ(ids(samples.at("quarantined")), "b");
}

TEST(QuarantinedSamples, ABadSampleHasNoSayInTheScaleOfObjects) {
  DataSet set("abc");
  set.with("b/images/b.png", "broken").with("b/masks/1.png", png(0, 255, 0, 32));
  const pipeline::Values own = {{"mode", "native"}, {"object_diameter", 12.0}};
  pipeline::Values left = own, without = own;
  left["on_bad"] = "quarantine", without["exclude"] = {"b"};
  const Value samples = set.samples(left);
  EXPECT_EQ(ids(samples.at("quarantined")), "b");
  EXPECT_EQ(samples.at("scale"), set.samples(without).at("scale"));
}

TEST(QuarantinedSamples, IsListedInInspectsVerdictAndCountedInItsSummary) {
  DataSet set;
  set.with("b/images/b.png", "broken");
  const Value verdict = set.inspected("verdict.json");
  EXPECT_EQ(ids(verdict.at("quarantined")), "b");
  EXPECT_TRUE(verdict.at("passed"));
  EXPECT_EQ(set.inspected("summary.json").at("quarantined"), 1);
  EXPECT_EQ(set.inspected("summary.json").at("samples"), 3);
}

}  // namespace
}  // namespace penstock::stages
