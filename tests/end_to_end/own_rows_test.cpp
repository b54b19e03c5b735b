// A user's own program that adds a row to each table of choices: it lists them, trains with them, and other programs
// name what they lack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class OwnPlace : public Workplace {
 public:
  OwnPlace() : Workplace(text()) {}

  // Of the user's program.
  Ran own(const std::string& arguments, int ranks = 1) const {
    const std::string launcher = ranks > 1 ? "mpirun --bind-to none -np " + std::to_string(ranks) + " " : "";
    return run("export XDG_CACHE_HOME='" + (path() / "cache").string() + "'; exec " + launcher +
                   "'" PENSTOCK_BINARY_DIR "/own_rows_program' " + arguments,
               path());
  }

 private:
  static std::string text() {
    return changed_pipeline(
        {{"count = 96", "count = 32"},
         {"epochs = 4",
          "epochs = 2\nnetwork = \"flat\"\nnorm = \"none\"\ntargets = [\"mask\", \"edge\"]\nschedule = \"halved\"\n"
          "losses.edge = \"squared\"\naugment = [\"flip\", \"dim\"]\naugmentation.dim = 0.5"},
         {"[stage.report]", "decoder = \"pieces\"\n[stage.report]"}});
  }
};

TEST(OwnRows, AreListedAsAllOthersAre) {
  const OwnPlace place;
  const Ran train = place.own("stages train"), eval = place.own("stages eval");
  EXPECT_THAT(train.out, AllOf(HasSubstr("flat"), HasSubstr("squared"), HasSubstr("augmentation.dim"),
                               HasSubstr("losses.edge"), HasSubstr("halved")));
  EXPECT_THAT(eval.out, HasSubstr("pieces"));
}

TEST(OwnRows, TrainAndAreEvaluatedWithTheSameBitsOnAnyNumberOfRanks) {
  const OwnPlace place, alone;
  for (const auto& [at, ranks] : {std::pair(&place, 2), std::pair(&alone, 1)}) {
    const Ran ran = at->own("run pipeline.toml", ranks);
    ASSERT_EQ(ran.code, 0) << ran.error;
  }
  EXPECT_EQ(alone.published(), place.published());
  const auto model = nlohmann::json::parse(text_of(place.path() / "runs/small/model/model.json"));
  EXPECT_EQ(model.at("architecture").at("kind"), "flat");
  EXPECT_EQ(model.at("outputs").at(1).at("name"), "edge");
  EXPECT_EQ(model.at("instances").at("decoder"), "pieces");
}

TEST(OwnRows, AreUnknownToOtherPrograms) {
  const Ran refused = OwnPlace().penstock("validate pipeline.toml");
  EXPECT_EQ(refused.code, 78);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("flat"), HasSubstr("pieces")));
}

}  // namespace
}  // namespace penstock
