// Two images that give one id: the message says which, why, and what to do.
#include "stages/archives/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "pipeline/files.h"
#include "stages/archives/archives.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What is said of these files when `inputs`, folders of the place, are given.
std::string refusal(const std::vector<std::string>& files, const std::vector<std::string>& inputs = {"given"}) {
  const TemporaryFolder place;
  for (const std::string& file : files) pipeline::write_file(place.path() / file, grey_png(4, 4, 9));
  std::vector<std::unique_ptr<Archive>> archives;
  for (const std::string& input : inputs) {
    for (auto& archive : open_archives(place.path() / input, {})) archives.push_back(std::move(archive));
  }
  return refusal_of([&] { make_catalogue(archives); }, ExitCode::data);
}

TEST(Catalogue, AnEarlierOutputAmongTheImagesIsNamed) {
  EXPECT_THAT(
      refusal({"given/a.png", "given/out/labels/a.png", "given/out/probability/a.png", "given/out/submission.csv"}),
      AllOf(HasSubstr("the id 'a'"), HasSubstr("given/out holds the output of an earlier predict: move it")));
  EXPECT_THAT(refusal({"given/labels/a.png", "given/probability/a.png", "given/submission.csv"}),
              HasSubstr("given/ holds the output of an earlier predict"));
}

TEST(Catalogue, AFolderThatIsOnlyCalledLabelsIsNoEarlierOutput) {
  EXPECT_THAT(refusal({"given/labels/a.png", "given/other/a.png"}), Not(HasSubstr("earlier predict")));
}

TEST(Catalogue, TheCacheOfAPipelineAmongTheImagesIsNamed) {
  EXPECT_THAT(refusal({"given/a.png", "given/.penstock/objects/12/files/labels/a.png"}),
              HasSubstr("given/.penstock is a pipeline's cache"));
}

TEST(Catalogue, OneNameTwiceInAFolderNamesBothFilesAndWhatToDo) {
  EXPECT_THAT(refusal({"given/monday/a.png", "given/monday/a.tif"}),
              AllOf(HasSubstr("given/monday/a.png and given/monday/a.tif"), HasSubstr("rename one of them, or give")));
}

// id -> file
std::map<std::string, std::string> with_endings(const std::vector<std::string>& files) {
  const TemporaryFolder place;
  for (const std::string& file : files) pipeline::write_file(place.path() / "given" / file, grey_png(4, 4, 9));
  const auto archives = open_archives(place.path() / "given", {});
  const Catalogue catalogue = make_catalogue(archives, {}, SameStem::keeps_ending);
  std::map<std::string, std::string> found;
  for (const CataloguedSample& sample : catalogue.samples)
    found[sample.id] = archives[sample.image.archive]->entries()[sample.image.entry].name;
  return found;
}

TEST(Catalogue, FilesOfOneStemKeepTheirEndingsWhereThatIsAskedForAndNoOthersDo) {
  EXPECT_EQ(with_endings({"b/1.png", "b/1.tif", "b/2.png"}),
            (std::map<std::string, std::string>{{"1.png", "b/1.png"}, {"1.tif", "b/1.tif"}, {"2", "b/2.png"}}));
  EXPECT_EQ(
      with_endings({"a/1.png", "b/1.png", "b/1.tif"}),
      (std::map<std::string, std::string>{{"a__1", "a/1.png"}, {"b__1.png", "b/1.png"}, {"b__1.tif", "b/1.tif"}}));
}

TEST(Catalogue, AnEndingThatMakesAnotherFilesIdIsRefused) {
  EXPECT_THROW(with_endings({"1.png", "1.tif", "1.png.tif"}), Error);
}

TEST(Catalogue, AnInputGivenTwiceIsNamedSo) {
  EXPECT_THAT(refusal({"given/x/images/x.png", "given/x/masks/1.png"}, {"given", "given"}),
              HasSubstr("give each input once"));
  EXPECT_THAT(refusal({"given/a.png"}, {"given", "given"}), HasSubstr("give each input once"));
}

}  // namespace
}  // namespace penstock::stages
