// Archives as people send them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "context.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/archives/archives.h"
#include "stages/packs/pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string image = grey_png(8, 6, 90), mask = grey_png(8, 6, 255);

Value catalogue(const Outputs& outputs) {
  return Value::parse(pipeline::read_file(outputs.at("images") / "catalogue.json"));
}

// id -> number of masks
std::map<std::string, int> samples(const Outputs& outputs) {
  std::map<std::string, int> found;
  const Value all = catalogue(outputs);
  for (const Value& sample : all.at("samples")) found[sample.at("id")] = sample.at("masks");
  return found;
}

std::map<std::string, int> unzip(const std::map<std::string, std::string>& files) {
  Bench bench;
  write_zip(bench.path() / "a.zip", files);
  return samples(bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}}));
}

std::string refusal(const std::map<std::string, std::string>& files, const pipeline::Values& values = {}) {
  Bench bench;
  write_zip(bench.path() / "a.zip", files);
  return refusal_of([&] { bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}}, values); }, ExitCode::data);
}

using Samples = std::map<std::string, int>;

TEST(Unzip, TakesTheDataScienceBowlsLayout) {
  EXPECT_EQ(
      unzip({{"x/images/x.png", image}, {"x/masks/1.png", mask}, {"x/masks/2.png", mask}, {"y/images/y.png", image}}),
      (Samples{{"x", 2}, {"y", 0}}));
}

TEST(Unzip, TakesFolderEntriesAWrappingFolderAndWhatMacOsLeaves) {
  EXPECT_EQ(unzip({{"stage1/", ""},
                   {"stage1/x/", ""},
                   {"stage1/x/images/x.png", image},
                   {"stage1/x/masks/1.png", mask},
                   {"__MACOSX/stage1/x/images/._x.png", "junk"},
                   {"stage1/.DS_Store", "junk"},
                   {"stage1/x/masks/.DS_Store", "junk"}}),
            (Samples{{"x", 1}}));
}

TEST(Unzip, TakesPairsOfFilesAndImagesAlone) {
  EXPECT_EQ(unzip({{"images/p.png", image}, {"images/q.png", image}, {"masks/p.png", mask}}),
            (Samples{{"p", 1}, {"q", 0}}));
  EXPECT_EQ(unzip({{"p.png", image}, {"sub/q.png", image}, {"notes.txt", "x"}}), (Samples{{"p", 0}, {"q", 0}}));
}

TEST(Unzip, TakesAnArchiveInsideAnArchiveSeveralArchivesAndAFolder) {
  Bench bench;
  write_zip(bench.path() / "inner.zip", {{"x/images/x.png", image}});
  write_zip(bench.path() / "outer.zip", {{"data/inner.zip", pipeline::read_file(bench.path() / "inner.zip")}});
  write_zip(bench.path() / "second.zip", {{"y/images/y.png", image}});
  EXPECT_EQ(samples(bench.run("unzip", {{"archive", {bench.path() / "outer.zip", bench.path() / "second.zip"}}})),
            (Samples{{"x", 0}, {"y", 0}}));
  pipeline::write_file(bench.path() / "folder/z/images/z.png", image);
  EXPECT_EQ(samples(bench.run("unzip", {{"archive", {bench.path() / "folder"}}})), (Samples{{"z", 0}}));
}

TEST(Unzip, TakesArchivesInArchivesUpToAStatedDepth) {
  Bench bench;
  write_zip(bench.path() / "0.zip", {{"images/p.png", image}, {"masks/p.png", mask}});
  for (int depth = 1; depth <= 3; ++depth) {
    write_zip(bench.path() / (std::to_string(depth) + ".zip"),
              {{"inner.zip", pipeline::read_file(bench.path() / (std::to_string(depth - 1) + ".zip"))}});
  }
  EXPECT_EQ(samples(bench.run("unzip", {{"archive", {bench.path() / "3.zip"}}})), (Samples{{"p", 1}}));
  try {
    bench.run("unzip", {{"archive", {bench.path() / "3.zip"}}}, {{"max_depth", 2}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("inner.zip"), HasSubstr("max_depth")));
  }
}

TEST(Unzip, TakesImagesAndMasksPackedApart) {
  Bench bench;
  write_zip(bench.path() / "i.zip", {{"p.png", image}});
  write_zip(bench.path() / "m.zip", {{"p.png", mask}});
  write_zip(bench.path() / "a.zip", {{"images.zip", pipeline::read_file(bench.path() / "i.zip")},
                                     {"masks.zip", pipeline::read_file(bench.path() / "m.zip")}});
  EXPECT_EQ(samples(bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}})), (Samples{{"p", 1}}));
}

TEST(Unzip, TakesWindowsSeparatorsAndStillRefusesWhatLeadsOut) {
  EXPECT_EQ(unzip({{"top\\images\\p.png", image}, {"top\\masks\\p.png", mask}}), (Samples{{"p", 1}}));
  EXPECT_THAT(refusal({{"images\\..\\..\\p.png", image}}), HasSubstr("leads out of the archive"));
  EXPECT_THAT(refusal({{"C:\\images\\p.png", image}}), HasSubstr("leads out of the archive"));
}

TEST(Unzip, ListsLayoutsSubsetsAndWhatIsLeftOver) {
  Bench bench;
  write_zip(bench.path() / "a.zip",
            {{"train/images/p.png", image}, {"train/masks/p.png", mask}, {"train/masks/q.png", mask}});
  const Value listed = catalogue(bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}}));
  EXPECT_EQ(listed.at("samples")[0].at("subset"), "train");
  EXPECT_EQ(listed.at("layouts")[0].at("layout"), "folders");
  EXPECT_EQ(listed.at("left_over")[0].at("entry"), "a.zip:train/masks/q.png");
}

TEST(Unzip, KeepsEveryFilesBytes) {
  Bench bench;
  write_zip(bench.path() / "a.zip", {{"x/images/x.png", image}, {"x/masks/1.png", mask}});
  const Outputs outputs = bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}});
  const Pack pack(outputs.at("images") / "0.safetensors");
  const auto bytes = pack.array("x/images/x.png").bytes;
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), image);
}

TEST(Unzip, RefusesTwoSamplesOfOneIdAndNamesBoth) {
  EXPECT_THAT(refusal({{"a/x/images/x.png", image}, {"b/x/images/x.png", image}}),
              testing::AllOf(HasSubstr("a/x/images/x.png"), HasSubstr("b/x/images/x.png")));
}

TEST(Unzip, RefusesANameThatLeadsOut) {
  EXPECT_THAT(refusal({{"../x/images/x.png", image}}), HasSubstr("leads out of the archive"));
  EXPECT_THAT(refusal({{"/etc/images/x.png", image}}), HasSubstr("leads out of the archive"));
}

TEST(Unzip, RefusesWhatExceedsItsLimitsAndNamesTheParameter) {
  EXPECT_THAT(refusal({{"p.png", image}, {"q.png", image}}, {{"max_entries", 1}}), HasSubstr("max_entries"));
  EXPECT_THAT(refusal({{"p.png", image}, {"zeros.bin", std::string(1 << 20, '\0')}}, {{"max_ratio", 50.0}}),
              HasSubstr("max_ratio"));
  EXPECT_THAT(refusal({{std::string(100, 'n') + ".png", image}}, {{"max_name_length", 50}}),
              HasSubstr("max_name_length"));
}

TEST(Unzip, RefusesATextAmongTheMasksAndMasksOfWhichNoneHasAnImage) {
  EXPECT_THAT(refusal({{"x/images/x.png", image}, {"x/masks/list.csv", "1,2"}}), HasSubstr("x/masks/list.csv"));
  EXPECT_THAT(refusal({{"images/p.png", image}, {"images/q.png", image}, {"masks/r.png", mask}}),
              HasSubstr("a mask without an image"));
}

TEST(Unzip, FindsADamagedEntryByItsChecksum) {
  Bench bench;
  write_zip(bench.path() / "a.zip", {{"x/images/x.png", image + std::string(4000, 'x')}});
  std::string bytes = pipeline::read_file(bench.path() / "a.zip");
  bytes[60] = static_cast<char>(bytes[60] ^ 1);  // inside the first entry's data
  pipeline::write_file(bench.path() / "a.zip", bytes);
  EXPECT_THROW(bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}}), Error);
}

// Samples x and y; a bit of the bytes of `damaged`, an entry, is flipped.
void write_damaged(const fs::path& path, const std::string& damaged) {
  write_zip(path, {{"x/images/x.png", image + std::string(4000, 'x')},
                   {"x/masks/1.png", mask},
                   {"y/images/y.png", image},
                   {"y/masks/1.png", mask},
                   {"y/masks/2.png", mask + std::string(4000, 'y')}});
  std::string bytes = pipeline::read_file(path);
  const size_t at = bytes.find(damaged) + damaged.size() + 8;
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  pipeline::write_file(path, bytes);
}

TEST(Unzip, LeavesASampleWithADamagedEntryOutWhereThatIsWantedAndListsIt) {
  for (const auto& [damaged, left, out] :
       {std::tuple("x/images/x.png", "y", "x"), std::tuple("y/masks/2.png", "x", "y")}) {
    Bench bench;
    write_damaged(bench.path() / "a.zip", damaged);
    const Value listed =
        catalogue(bench.run("unzip", {{"archive", {bench.path() / "a.zip"}}}, {{"on_bad", "quarantine"}}));
    ASSERT_EQ(listed.at("samples").size(), 1u);
    EXPECT_EQ(listed.at("samples")[0].at("id"), left);
    EXPECT_EQ(listed.at("quarantined")[0].at("id"), out);
    EXPECT_THAT(listed.at("quarantined")[0].at("reason").get<std::string>(),
                testing::StartsWith(std::string(damaged) + ": is damaged"))
        << "without the archive's own name, which is no part of its content";
  }
}

TEST(Unzip, RefusesATruncatedArchiveAtEveryLength) {
  Bench bench;
  write_zip(bench.path() / "a.zip", {{"x/images/x.png", image}});
  const std::string good = pipeline::read_file(bench.path() / "a.zip");
  for (size_t length = 0; length < good.size(); length += 9) {
    pipeline::write_file(bench.path() / "cut.zip", good.substr(0, length));
    EXPECT_THROW(bench.run("unzip", {{"archive", {bench.path() / "cut.zip"}}}), Error) << length;
  }
}

}  // namespace
}  // namespace penstock::stages
