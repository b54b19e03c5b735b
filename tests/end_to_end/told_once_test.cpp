// A failure is told once: what failed and why, where its log is, and what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workplace.h"

namespace penstock {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

TEST(ToldOnce, AFailureIsToldOnceWithItsLogAndWhatToDo) {
  const Workplace place;
  place.write("archive.zip", "<!DOCTYPE html>");
  const Ran ran = place.penstock("run pipeline.toml --input unzip.archive=archive.zip");
  EXPECT_EQ(ran.code, 65);
  EXPECT_EQ(times(ran.error, "a web page (HTML)"), 1u) << ran.error;
  EXPECT_EQ(times(ran.error, "stage 'unzip' failed: "), 1u) << ran.error;
  EXPECT_THAT(ran.error,
              AllOf(HasSubstr("(log: runs/small/log/rank-0.log; once this is mended, the same command resumes)"),
                    HasSubstr("1 failed"), Not(HasSubstr("penstock logs"))));
  EXPECT_THAT(text_of(place.path() / "runs/small/log/rank-0.log"), HasSubstr("a web page (HTML)"));
  const Ran logs = place.penstock("logs pipeline.toml unzip --input unzip.archive=archive.zip");
  EXPECT_THAT(logs.out, AllOf(HasSubstr("exit code 65"), HasSubstr("a web page (HTML)")));
}

TEST(ToldOnce, EveryFailureOfASweepIsToldOnce) {
  const Workplace place(std::string(small_pipeline) + "[matrix.axes]\n\"synthesize.count\" = [1, 2]\n");
  const Ran ran = place.penstock("run pipeline.toml --keep-going", 2);
  EXPECT_EQ(ran.code, 65);
  EXPECT_EQ(times(ran.error, "failed: "), 2u) << ran.error;
  EXPECT_EQ(times(ran.error, "cannot fill"), 2u) << ran.error;
}

TEST(ToldOnce, ARefusalOfAGateIsToldOnceToo) {
  const Workplace place;
  place.write("verdict.json", R"({"passed": false, "problems": [{"sample": "x", "problem": "too dark"}]})");
  place.write("pipeline.toml", std::string(small_pipeline) +
                                   "[stage.refuse]\nuses = \"command\"\noutputs = [\"out\"]\n"
                                   "inputs = { verdict = \"file:verdict.json\" }\n"
                                   "command = [\"cp\", \"{verdict}\", \"{out}/verdict.json\"]\n");
  const Ran ran = place.penstock("run pipeline.toml refuse");
  EXPECT_EQ(ran.code, 65);
  EXPECT_EQ(times(ran.error, "too dark"), 1u) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("stage 'refuse' failed: 1 problem found in the data:"));
}

TEST(ToldOnce, WarningsOfAVerdictAreOneLineWhetherItsStageRanOrWasCached) {
  const Workplace place;
  place.write("verdict.json", R"({"passed": true, "problems": [], "warnings": [{"sample": "a", "warning": "odd"},
      {"sample": "b", "warning": "odd"}, {"sample": "c", "warning": "odd"}, {"sample": "d", "warning": "dark"}]})");
  place.write("pipeline.toml", std::string(small_pipeline) +
                                   "[stage.look]\nuses = \"command\"\noutputs = [\"out\"]\n"
                                   "inputs = { verdict = \"file:verdict.json\" }\n"
                                   "command = [\"cp\", \"{verdict}\", \"{out}/verdict.json\"]\n");
  for (const char* time : {"ran", "cached"}) {
    const Ran ran = place.penstock("run pipeline.toml look");
    EXPECT_EQ(ran.code, 0) << time;
    EXPECT_EQ(times(ran.error, "look: 4 warnings about the data: a: odd; b: odd; c: odd; and 1 more"), 1u) << ran.error;
  }
}

}  // namespace
}  // namespace penstock
