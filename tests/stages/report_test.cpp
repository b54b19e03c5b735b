#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stages/html.h"
#include "stages/report.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;

TEST(Html, EscapesWhatAFileNameMayHold) { EXPECT_EQ(escaped("<a b=\"'&'\">"), "&lt;a b=&quot;&#39;&amp;&#39;&quot;&gt;"); }

// RFC 4648, section 10.
TEST(Html, Base64IsTheStandards) {
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
}

TEST(Html, NumbersAndTimesAreReadable) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(duration(83.2), "1 min 23 s");
}

TEST(Report, OfAFailedRunSaysWhichStageAndWhyAndEscapesIt) {
  const pipeline::Value lineage = {{"pipeline", "p"}, {"run", ""}, {"label", ""}, {"config", "c.toml"}, {"environment", pipeline::Value::object()},
                                   {"stages", {{{"name", "resize"}, {"kind", "resize"}, {"version", 1}, {"state", "failed"}, {"reason", "new"}, {"message", "x/masks/<b>.png: no image"},
                                                {"seconds", 1.5}, {"parameters", {{"width", 128}}}, {"inputs", {}}, {"outputs", {}}, {"attempts", pipeline::Value::array()}}}}};
  const std::string html = render_report({}, lineage.dump());
  EXPECT_THAT(html, testing::AllOf(HasSubstr("This run failed"), HasSubstr("x/masks/&lt;b&gt;.png: no image")));
  EXPECT_THAT(html, testing::Not(HasSubstr("<b>.png")));
}

}  // namespace
}  // namespace penstock::stages
