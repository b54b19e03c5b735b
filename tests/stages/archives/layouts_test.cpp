// Each layout that people keep their data in, from names alone: which samples it makes, and what is refused or left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "expect_check.h"
#include "stages/archives/catalogue.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

// An archive of names without content.
class Named final : public Archive {
 public:
  explicit Named(const Names& names) {
    for (const std::string& name : names) entries_.push_back({name, "a.zip:" + name, 1, name});
  }
  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  std::vector<uint8_t> read(size_t) const override { return {}; }
  pipeline::Digest digest(size_t) const override { return {}; }

 private:
  std::vector<ArchiveEntry> entries_;
};

std::vector<std::unique_ptr<Archive>> holding(const Names& names) {
  std::vector<std::unique_ptr<Archive>> archives;
  archives.push_back(std::make_unique<Named>(names));
  return archives;
}

Catalogue catalogue(const Names& names, const LayoutPatterns& patterns = {}) {
  return make_catalogue(holding(names), patterns);
}

// "id <- image: mask, mask" of each sample.
Names samples(const Names& names, const LayoutPatterns& patterns = {}) {
  Names all;
  for (const CataloguedSample& sample : catalogue(names, patterns).samples) {
    std::string text = sample.id + " <- " + names.at(sample.image.entry);
    for (size_t i = 0; i < sample.masks.size(); ++i) text += (i == 0 ? ": " : ", ") + names.at(sample.masks[i].entry);
    all.push_back(std::move(text));
  }
  return all;
}

std::string refusal(const Names& names, const LayoutPatterns& patterns = {}) {
  return refusal_of([&] { catalogue(names, patterns); }, ExitCode::data);
}

TEST(Layouts, TheDataScienceBowlsIdsAreItsFolders) {
  EXPECT_THAT(samples({"x/images/1.png", "x/masks/b.png", "x/masks/a.png", "y/images/2.png"}),
              ElementsAre("x <- x/images/1.png: x/masks/a.png, x/masks/b.png", "y <- y/images/2.png"));
}

TEST(Layouts, FoldersOfPairsHaveManyNamesInAnyCase) {
  for (const char* images : {"Images", "imgs", "img", "image", "raw", "input", "Inputs", "imagesTr"}) {
    for (const char* masks : {"MASKS", "mask", "labels", "label", "gt", "ground_truth", "annotations", "seg"}) {
      const std::string image = std::string(images) + "/a.png", mask = std::string(masks) + "/a.tif";
      if (std::string(images) == "imagesTr") continue;  // its pair is labelsTr
      EXPECT_THAT(samples({image, mask}), ElementsAre("a <- " + image + ": " + mask));
    }
  }
  EXPECT_THAT(samples({"imagesTr/a_0000.png", "labelsTr/a.png"}),
              ElementsAre("a <- imagesTr/a_0000.png: labelsTr/a.png"));
  EXPECT_THAT(samples({"train_images/a.png", "train_masks/a.png"}),
              ElementsAre("a <- train_images/a.png: train_masks/a.png"));
}

TEST(Layouts, AMasksSuffixIsNoPartOfItsName) {
  for (const char* suffix : {"_mask", "_masks", "_Label", "_labels", "_seg", "_gt", "_cp_masks"}) {
    const std::string mask = std::string("masks/a") + suffix + ".png";
    EXPECT_THAT(samples({"images/a.png", mask}), ElementsAre("a <- images/a.png: " + mask));
  }
  EXPECT_THAT(samples({"images/a.ome.tif", "masks/a.png"}), ElementsAre("a.ome <- images/a.ome.tif: masks/a.png"));
}

TEST(Layouts, AFolderOfMasksOfAnImageHoldsItsObjects) {
  EXPECT_THAT(samples({"images/a.png", "masks/a/1.png", "masks/a/2.png", "images/b.png", "masks/b/1.png"}),
              ElementsAre("a <- images/a.png: masks/a/1.png, masks/a/2.png", "b <- images/b.png: masks/b/1.png"));
}

TEST(Layouts, SubFoldersArePartOfThePairAndOfTheIdWhereStemsAreEqual) {
  EXPECT_THAT(samples({"d/images/p1/a.png", "d/images/p2/a.png", "d/images/p2/b.png", "d/masks/p1/a_mask.png",
                       "d/masks/p2/a_mask.png"}),
              ElementsAre("b <- d/images/p2/b.png", "p1__a <- d/images/p1/a.png: d/masks/p1/a_mask.png",
                          "p2__a <- d/images/p2/a.png: d/masks/p2/a_mask.png"));
}

TEST(Layouts, FoldersOfSubsetsAreRecordedAndPartOfTheIdWhereStemsAreEqual) {
  const auto found = catalogue({"train/images/a.png", "train/masks/a.png", "train/images/b.png", "train/masks/b.png",
                                "test/images/a.png", "test/masks/a.png", "Val/images/c.png", "Val/masks/c.png"});
  Names all;
  for (const auto& sample : found.samples) all.push_back(sample.id + " " + sample.subset);
  EXPECT_THAT(all, ElementsAre("b train", "c validation", "test__a test", "train__a train"));
  EXPECT_EQ(found.described(), "layout folders: 4 images, 4 with masks");
}

TEST(Layouts, ImageAndMaskMayLieInOneFolder) {
  EXPECT_THAT(samples({"w_0.tif", "w_0_masks.tif", "w_0_flows.tif", "w_0_seg.npy", "w_0_cp_outlines.txt", "w_1.tif"}),
              ElementsAre("w_0 <- w_0.tif: w_0_masks.tif", "w_1 <- w_1.tif"));
  EXPECT_THAT(samples({"images/x.png", "images/x_mask.png"}), ElementsAre("x <- images/x.png: images/x_mask.png"));
  EXPECT_THAT(samples({"set/x.png", "set/masks/x.png"}), ElementsAre("x <- set/x.png: set/masks/x.png"));
}

TEST(Layouts, NamesAreComparedAfterUnicodeNormalisation) {
  EXPECT_EQ(samples({"images/Za\xcc\x88hlung.png", "masks/Z\xc3\xa4hlung.png"}).front(),
            "Za\xcc\x88hlung <- images/Za\xcc\x88hlung.png: masks/Z\xc3\xa4hlung.png");
}

TEST(Layouts, WhatDesktopsAndStorageLeaveIsNoImage) {
  const auto found = catalogue({"images/a.png", "masks/a.png", "images/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
                                "masks/.ipynb_checkpoints/a-checkpoint.png", "$RECYCLE.BIN/b.png",
                                ".Trash-1000/files/c.png", "images/.AppleDouble/a.png", "images/Icon\r",
                                "masks/Thumbs.db:encryptable", "__MACOSX/images/._a.png"});
  EXPECT_EQ(found.samples.size(), 1u);
  EXPECT_EQ(found.ignored.size(), 8u);
  EXPECT_TRUE(found.left_over.empty());
}

TEST(Layouts, WhatIsLeftOverIsNamedAndCounted) {
  const auto found = catalogue({"images/a.png", "images/b.png", "masks/a.png", "masks/c.png"});
  EXPECT_EQ(found.described(), "layout folders: 2 images, 1 with masks, 1 without a mask");
  EXPECT_THAT(found.left_over_described(), AllOf(HasSubstr("1 file left over: a.zip:masks/c.png"), HasSubstr("mask")));
}

TEST(Layouts, TwoReadingsThatFitEquallyWellNameBothAndTheKey) {
  EXPECT_THAT(refusal({"images/a.png", "masks/a.png", "labels/a.png"}),
              AllOf(HasSubstr("labels"), HasSubstr("masks"), HasSubstr("unzip's `masks`")));
  EXPECT_THAT(refusal({"images/a.png", "raw/a.png", "masks/a.png"}),
              AllOf(HasSubstr("images"), HasSubstr("raw"), HasSubstr("unzip's `images`")));
  EXPECT_THAT(refusal({"images/a.png", "masks/a.png", "masks/a.tif"}),
              AllOf(HasSubstr("masks/a.png"), HasSubstr("masks/a.tif"), HasSubstr("unzip's `masks`")));
  EXPECT_THAT(samples({"images/a.png", "masks/a.png", "labels/a.png"}, {"", "labels/{id}.png"}),
              ElementsAre("a <- images/a.png: labels/a.png"));
}

TEST(Layouts, ChannelsInSeveralFilesAreRefusedByName) {
  EXPECT_THAT(refusal({"imagesTr/n_0000.png", "imagesTr/n_0001.png", "labelsTr/n.png"}),
              AllOf(HasSubstr("imagesTr/n_0000.png"), HasSubstr("imagesTr/n_0001.png"), HasSubstr("channels")));
}

TEST(Layouts, PatternsSayWhatNoTableKnows) {
  EXPECT_THAT(samples({"raw/a.tif", "gt/a_1.png", "gt/a_2.png", "raw/a_1.tif", "gt/a_1_1.png", "note.tif"},
                      {"raw/{id}.tif", "gt/{id}_*.png"}),
              ElementsAre("a <- raw/a.tif: gt/a_1.png, gt/a_2.png", "a_1 <- raw/a_1.tif: gt/a_1_1.png"));
  EXPECT_THAT(samples({"1/picture.png", "1/truth.png", "2/picture.png"}, {"{id}/picture.png", "{id}/truth.png"}),
              ElementsAre("1 <- 1/picture.png: 1/truth.png", "2 <- 2/picture.png"));
  EXPECT_THAT(samples({"x.png", "x-m.png"}, {"{id}.png", "{id}-m.png"}), ElementsAre("x <- x.png: x-m.png"));
  EXPECT_THAT(samples({"p1/raw/a.tif", "p2/raw/a.tif", "p1/gt/a.tif", "p2/gt/a.tif"}, {"raw/{id}.tif", "gt/{id}.tif"}),
              ElementsAre("p1__a <- p1/raw/a.tif: p1/gt/a.tif", "p2__a <- p2/raw/a.tif: p2/gt/a.tif"));
  EXPECT_THAT(refusal({"images/a.png"}, {"raw/{id}.tif", ""}), HasSubstr("no image fits images = \"raw/{id}.tif\""));
  EXPECT_THAT(refusal({"images/a.png"}, {"", "gt/{id}.tif"}), HasSubstr("no file fits masks = \"gt/{id}.tif\""));
}

TEST(Layouts, AnIdMadeOfFoldersMayNotBeAnothersStem) {
  EXPECT_THAT(refusal({"images/p1/a.png", "images/p2/a.png", "images/p1__a.png"}), HasSubstr("the id 'p1__a'"));
}

TEST(Layouts, MasksOfWhichNoneFitsAnImageAreRefusedWithAnExampleOfEach) {
  EXPECT_THAT(refusal({"images/a.png", "masks/b.png"}),
              AllOf(HasSubstr("masks/b.png"), HasSubstr("images/a.png"), HasSubstr("unzip's `images` and `masks`")));
}

}  // namespace
}  // namespace penstock::stages
