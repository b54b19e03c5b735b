#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "pipeline/files.h"
#include "stages/report/html.h"
#include "stages/report/report.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;

TEST(Html, EscapesWhatAFileNameMayHold) {
  EXPECT_EQ(escaped("<a b=\"'&'\">"), "&lt;a b=&quot;&#39;&amp;&#39;&quot;&gt;");
}

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
  const pipeline::Value lineage = {{"pipeline", "p"},
                                   {"run", ""},
                                   {"label", ""},
                                   {"config", "c.toml"},
                                   {"environment", pipeline::Value::object()},
                                   {"stages",
                                    {{{"name", "resize"},
                                      {"kind", "resize"},
                                      {"version", 1},
                                      {"state", "failed"},
                                      {"reason", "new"},
                                      {"message", "x/masks/<b>.png: no image"},
                                      {"seconds", 1.5},
                                      {"parameters", {{"width", 128}}},
                                      {"inputs", {}},
                                      {"outputs", {}},
                                      {"attempts", pipeline::Value::array()}}}}};
  const std::string html = render_report({}, lineage.dump());
  EXPECT_THAT(html, testing::AllOf(HasSubstr("This run failed"), HasSubstr("x/masks/&lt;b&gt;.png: no image")));
  EXPECT_THAT(html, testing::Not(HasSubstr("<b>.png")));
}

TEST(Report, DrawsATrainingWhoseLossWasNoNumberAfterAll) {
  const auto row = [](int epoch, pipeline::Value loss) {
    const pipeline::Value figures = {
        {"loss", loss}, {"accuracy", 0.9}, {"precision", 0.8}, {"recall", 0.7}, {"f1", 0.75}};
    return pipeline::Value{{"epoch", epoch}, {"lr", 0.1}, {"train", figures}, {"validation", figures}};
  };
  const pipeline::Value curves = {{"epochs", {row(1, 0.5), row(2, std::nan(""))}},
                                  {"best_epoch", 1},
                                  {"last_epoch", 2},
                                  {"planned_epochs", 2},
                                  {"stopped_early", false},
                                  {"patience", 0},
                                  {"monitor", "val_f1"},
                                  {"best_value", 0.75},
                                  {"final", "best"},
                                  {"train_figures", "averages"}};
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "curves.json", curves.dump());
  ReportSources sources;
  sources.add("curves", {folder.path(), ""});
  const pipeline::Value lineage = {{"pipeline", "p"},
                                   {"run", ""},
                                   {"label", ""},
                                   {"config", "c.toml"},
                                   {"environment", pipeline::Value::object()},
                                   {"stages", pipeline::Value::array()}};
  EXPECT_THAT(render_report(sources, lineage.dump()),
              HasSubstr("Validation loss over train loss: +0.0000 at the best epoch, – at the last."));
}

}  // namespace
}  // namespace penstock::stages
