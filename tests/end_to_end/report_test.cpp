// The report in a real browser: it stands alone, shows every section, and complains about nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "workplace.h"

namespace penstock {
namespace {

using testing::HasSubstr;

TEST(Report, StandsAloneAndShowsEverySectionInABrowser) {
  Workplace place;
  ASSERT_EQ(place.penstock("run pipeline.toml", 2).code, 0);
  const std::string html = text_of(place.path() / "runs/small/report.html");
  for (const char* id : {"pipeline", "data", "network", "training", "threshold", "scores", "pictures", "settings"}) {
    EXPECT_THAT(html, HasSubstr("<section id=\"" + std::string(id) + "\">"));
  }
  EXPECT_FALSE(std::regex_search(html, std::regex("(src|href)=\"(https?:)?//"))) << "nothing is fetched from elsewhere";
  EXPECT_FALSE(std::regex_search(html, std::regex("\\bnan\\b"))) << "a figure that is none";

  const std::string chromium = "chromium --headless --no-sandbox --disable-gpu --user-data-dir=profile ";
  if (run("command -v chromium", place.path()).code != 0)
    GTEST_SKIP() << "not run: no chromium on this machine (launch/setup --tests)";
  const std::string page = "'file://" + (place.path() / "runs/small/report.html").string() + "'";
  const Ran dom = run("timeout 60 " + chromium + "--enable-logging=stderr --dump-dom " + page, place.path());
  ASSERT_EQ(dom.code, 0) << dom.error;
  EXPECT_THAT(dom.out, HasSubstr("Otsu's threshold of each picture")) << "the verdict names the baseline";
  EXPECT_EQ(dom.error.find("CONSOLE"), std::string::npos) << dom.error;
  const Ran shot =
      run("timeout 60 " + chromium + "--window-size=1100,3000 --screenshot=shot.png " + page, place.path());
  ASSERT_EQ(shot.code, 0) << shot.error;
  EXPECT_GT(std::filesystem::file_size(place.path() / "shot.png"), 100'000u)
      << "a page with pictures, not an empty one";
}

}  // namespace
}  // namespace penstock
