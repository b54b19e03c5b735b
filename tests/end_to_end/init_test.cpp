// From somebody's data to a report in two commands, and predictions that go on where they were.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/files.h"
#include "stages/images/png_codec.h"
#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Init, WritesAConfigurationThatRunsToTheReport) {
  const Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml --only synthesize").code, 0);
  place.take_archive("data.zip");
  const Ran init = place.penstock("init data.zip --output first.toml");
  ASSERT_EQ(init.code, 0) << init.error;
  EXPECT_THAT(init.out, HasSubstr("wrote first.toml; next: penstock run first.toml"));
  EXPECT_THAT(text_of(place.path() / "first.toml"), AllOf(HasSubstr("mode = \"native\""), HasSubstr("# Masks: ")));
  const Ran again = place.penstock("init data.zip --output first.toml");
  EXPECT_EQ(again.code, 73) << "what is there is not overwritten";
  // Smaller than it would be, for the test's sake.
  const Ran ran = place.penstock("run first.toml --set train.epochs=1 --set train.base_channels=4", 2);
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_TRUE(std::filesystem::exists(place.path() / "runs/data/report.html"));
}

TEST(Init, SaysWhatIsMissing) {
  const Workplace place;
  std::filesystem::create_directories(place.path() / "empty");
  const Ran none = place.penstock("init empty");
  EXPECT_EQ(none.code, 65);
  EXPECT_THAT(none.error, HasSubstr("no image"));
}

TEST(Predict, GoesOnWhereItWasAndLosesNoImageToABadOne) {
  const Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml --set train.epochs=1").code, 0);
  for (const int number : {1, 2, 3, 4}) {
    stages::Image picture{40 + number, 50, 3, 8, {}};
    for (size_t i = 0; i < picture.values(); ++i) picture.bytes.push_back(static_cast<uint8_t>(i * i / 97 % 251));
    pipeline::write_file(place.path() / "pictures" / (std::to_string(number) + ".png"), stages::encode_png(picture));
  }
  pipeline::write_file(place.path() / "pictures/bad.png", "no picture");
  const Ran stops = place.penstock("predict runs/small pictures --output out");
  EXPECT_EQ(stops.code, 65);
  EXPECT_THAT(stops.error, AllOf(HasSubstr("bad.png"), HasSubstr("--keep-going")));
  const Ran goes_on = place.penstock("predict runs/small pictures --output out -k", 2);
  EXPECT_EQ(goes_on.code, 65) << "not all of it is there";
  EXPECT_THAT(text_of(place.path() / "out/failed.csv"), HasSubstr("bad"));
  std::filesystem::remove(place.path() / "pictures/bad.png");
  const Ran whole = place.penstock("predict runs/small pictures --output out");
  EXPECT_EQ(whole.code, 0) << whole.error;
  EXPECT_THAT(whole.error, HasSubstr("4 images into out, 4 of them done before"));
  EXPECT_FALSE(std::filesystem::exists(place.path() / "out/failed.csv"));
}

TEST(Predict, TellsFilesOfOneStemApartAndGoesOnWhereItWas) {
  const Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml --set train.epochs=1").code, 0);
  for (const char* name : {"b/1.png", "b/1.tif", "b/2.png"}) {  // an image is what its bytes are, not its name
    stages::Image picture{40, 50, 3, 8, std::vector<uint8_t>(40 * 50 * 3, static_cast<uint8_t>(name[4]))};
    pipeline::write_file(place.path() / "pictures" / name, stages::encode_png(picture));
  }
  const Ran first = place.penstock("predict runs/small pictures --output out", 2);
  ASSERT_EQ(first.code, 0) << first.error;
  EXPECT_THAT(first.error, HasSubstr("2 images differ from another in the ending of their names alone, so their ids "
                                     "keep it ('1.png', '1.tif'); images.csv says"));
  for (const char* id : {"1.png", "1.tif", "2"})
    EXPECT_TRUE(std::filesystem::exists(place.path() / "out/labels" / (std::string(id) + ".png"))) << id;
  EXPECT_EQ(text_of(place.path() / "out/images.csv"),
            "id,entry\n1.png,pictures/b/1.png\n1.tif,pictures/b/1.tif\n2,pictures/b/2.png\n");
  EXPECT_THAT(place.penstock("predict runs/small pictures --output out").error,
              HasSubstr("3 images into out, 3 of them done before"));
}

}  // namespace
}  // namespace penstock
