#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/report/html.h"
#include "stages/report/network_drawing.h"
#include "stages/report/report.h"
#include "stages/training/architecture.h"
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

TEST(Html, NumbersAndTimesAreReadable) { EXPECT_EQ(duration(83.2), "1 min 23 s"); }

TEST(Html, ARowWithoutACellForEachColumnIsAProgrammersMistake) { EXPECT_THROW(table({"run", "Dice"}, {{"a"}}), Error); }

// Of a run without stages.
pipeline::Value no_stages() {
  return {{"pipeline", "p"},
          {"run", ""},
          {"label", ""},
          {"config", "c.toml"},
          {"environment", pipeline::Value::object()},
          {"stages", pipeline::Value::array()}};
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

TEST(Report, DrawsATrainingWhoseLossWasNaN) {
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
                                  {"published", "best"},
                                  {"train_figures", "averages"}};
  const pipeline::Value telemetry = {
      {"ranks", 2},
      {"threads", 1},
      {"images_per_second", 30},
      {"checkpoints", {{"count", 1}, {"blocked_seconds", 0.5}}},
      {"resumed_at_steps", pipeline::Value::array()},
      {"hosts", {"here"}},
      {"data_wait_seconds", 0.00125},
      {"cache", {{"limit_bytes", 2'000'000}, {"most_bytes", 1'500'000}, {"found", 30}, {"waited", 10}}}};
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "curves.json", curves.dump());
  pipeline::write_file(folder.path() / "telemetry.json", telemetry.dump());
  ReportSources sources;
  sources.add("curves", {folder.path(), ""});
  sources.add("telemetry", {folder.path(), ""});
  EXPECT_THAT(render_report(sources, no_stages().dump()),
              HasSubstr("at most 1.5 MB of them kept: a step waited 1.25 ms for them; 75.0 % were there when"));
  EXPECT_THAT(render_report(sources, no_stages().dump()),
              HasSubstr("Validation loss minus train loss: +0.0000 at the best epoch, – at the last."));
}

TEST(Report, SaysThatWithoutValidationNoEpochWasTheBest) {
  const pipeline::Value figures = {{"loss", 0.5}, {"accuracy", 0.9}, {"precision", 0.8}, {"recall", 0.7}, {"f1", 0.75}};
  const pipeline::Value row = {{"epoch", 1}, {"lr", 0.1}, {"train", figures}, {"validation", nullptr}};
  const pipeline::Value curves = {{"epochs", {row}},
                                  {"best_epoch", 0},
                                  {"last_epoch", 1},
                                  {"planned_epochs", 1},
                                  {"stopped_early", false},
                                  {"patience", 3},
                                  {"stop_monitor", "val_loss"},
                                  {"monitor", "val_f1"},
                                  {"best_value", nullptr},
                                  {"final", "best"},
                                  {"published", "last"},
                                  {"train_figures", "averages"}};
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "curves.json", curves.dump());
  ReportSources sources;
  sources.add("curves", {folder.path(), ""});
  EXPECT_THAT(
      render_report(sources, no_stages().dump()),
      testing::AllOf(HasSubstr("No epoch was the best: val_f1 has no figure in any of 1 epochs, for there is no "
                               "validation subset. Published weights: those of the last epoch."),
                     HasSubstr("Early stopping was off: val_loss needs a validation subset.")));
}

// A set's summary as inspect writes it, of two images.
void write_summary(const std::filesystem::path& folder) {
  const pipeline::Value none = {{"edges", {0, 1}}, {"counts", {2}}};
  const pipeline::Value summary = {{"samples", 2},
                                   {"labelled", 2},
                                   {"foreground", {{"mean", 0.1}}},
                                   {"objects", {{"total", 4}, {"minimum", 2}, {"maximum", 2}, {"median", 2}}},
                                   {"grid", {{"width", 8}, {"height", 8}, {"channels", 1}}},
                                   {"histograms",
                                    {{"intensity", {{"bins", 1}, {"counts", {{2}}}}},
                                     {"foreground", none},
                                     {"objects", none},
                                     {"object_area", none}}}};
  pipeline::write_file(folder / "summary.json", summary.dump());
}

TEST(Report, ShowsTenFindingsOfARuleWithTheirFilesAndSaysWhereTheRestIs) {
  const TemporaryFolder folder;
  write_summary(folder.path());
  pipeline::Value findings = pipeline::Value::array();
  for (int i = 0; i < 12; ++i) {
    findings.push_back({{"rule", "tiny"},
                        {"text", "a crumb"},
                        {"samples", {"s"}},
                        {"files", {"raw/<" + std::to_string(i) + ">.png"}}});
  }
  findings[0]["thumbnails"] = {"one.png"};
  const pipeline::Value rule = {{"rule", "tiny"}, {"severity", "warning"}, {"help", "small"}, {"findings", 12}};
  pipeline::write_file(folder.path() / "one.png", "bytes");
  pipeline::write_file(folder.path() / "findings.json",
                       pipeline::Value{{"rules", {rule}}, {"findings", findings}}.dump());
  ReportSources sources;
  sources.add("data", {folder.path(), ""});
  const std::string html = render_report(sources, no_stages().dump());
  EXPECT_THAT(html, testing::AllOf(HasSubstr("warning: 12 tiny"), HasSubstr("raw/&lt;9&gt;.png"),
                                   HasSubstr("the other 2 are in findings.csv"), HasSubstr("data:image/png")));
  EXPECT_THAT(html, testing::Not(HasSubstr("raw/&lt;10&gt;.png")));
}

TEST(Report, NamesTheSamplesThatWereLeftOutWithTheirReasons) {
  const TemporaryFolder folder;
  write_summary(folder.path());
  const pipeline::Value left_out = {{"id", "s<1>"}, {"entry", "s.png"}, {"reason", "s.png: truncated PNG"}};
  const pipeline::Value verdict = {{"warnings", pipeline::Value::array()}, {"quarantined", {left_out}}};
  pipeline::write_file(folder.path() / "verdict.json", verdict.dump());
  ReportSources sources;
  sources.add("data", {folder.path(), ""});
  EXPECT_THAT(render_report(sources, no_stages().dump()),
              testing::AllOf(HasSubstr("1 of 3 samples, whose files cannot be read"), HasSubstr("s&lt;1&gt;"),
                             HasSubstr("s.png: truncated PNG")));
}

TEST(Report, SaysHowManySamplesHaveRelativesInAnotherSubset) {
  const TemporaryFolder folder;
  write_summary(folder.path());
  pipeline::write_file(
      folder.path() / "split.json",
      pipeline::Value{{"leakage", {{"held_out", 119}, {"related", 95}, {"groups", {{{"group", "a"}}}}}}}.dump());
  ReportSources sources;
  sources.add("data", {folder.path(), ""});
  sources.add("split", {folder.path(), ""});
  EXPECT_THAT(render_report(sources, no_stages().dump()), HasSubstr("95 of the 119 samples that validate or test"));
}

TEST(Report, LinksToTheSectionsThatHaveContentAndToNoOthers) {
  const std::string html = render_report({}, no_stages().dump());
  EXPECT_THAT(html, testing::AllOf(HasSubstr("<a href=\"#pipeline\">"), HasSubstr("<section id=\"pipeline\">")));
  EXPECT_THAT(html, testing::Not(testing::AnyOf(HasSubstr("#scores"), HasSubstr("<section id=\"scores\">"))));
}

pipeline::Value architecture(const std::string& side) {
  const pipeline::Value layer = {{"name", "a"},           {"kind", "conv"}, {"level", 0},     {"side", side},
                                 {"output", {8, 16, 16}}, {"flops", 1e6},   {"parameters", 9}};
  return {{"layers", {layer}}, {"parameters", 9}, {"flops", 1e6}};
}

TEST(Report, DrawsANetworkAndRefusesASideThatItDoesNotKnow) {
  EXPECT_THAT(network_drawing(architecture("encoder")), HasSubstr("8 × 16 × 16"));
  EXPECT_THROW(network_drawing(architecture("sideways")), Error);
}

TEST(Report, DrawsEachNodeOfANestedDecoder) {
  Architecture nested{3, 8, 3, "batch", 0};
  nested.kind = "unet++";
  const std::string drawn = network_drawing(describe_layers(nested, 64, 64));
  for (const char* inner : {"level 0, column 1", "level 0, column 2", "level 1, column 1"})
    EXPECT_THAT(drawn, HasSubstr(inner));
  EXPECT_THAT(drawn, HasSubstr("decoder level 2")) << "its one node is the level's last";
  nested.kind = "unet";
  EXPECT_THAT(network_drawing(describe_layers(nested, 64, 64)), testing::Not(HasSubstr("column")));
}

TEST(Report, DrawsEachSideOutputOfANetwork) {
  const auto side_outputs = [](const Architecture& architecture) {
    const std::string drawn = network_drawing(describe_layers(architecture, 64, 64));
    int count = 0;
    for (size_t at = 0; (at = drawn.find("in training", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  for (const char* kind : {"unet", "unet++"}) {
    Architecture architecture{3, 8, 3, "batch", 0};
    architecture.kind = kind;
    EXPECT_EQ(side_outputs(architecture), 0) << kind;
    architecture.side_outputs = 2;
    EXPECT_EQ(side_outputs(architecture), 2) << kind;
  }
}

TEST(Report, SaysWhichConnectivityTheObjectsWereScoredWith) {
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "metrics.json",
                       R"({"threshold": 0.5, "instances": {"connectivity": 8, "minimum_area": 0}})");
  ReportSources sources;
  sources.add("metrics", {folder.path(), ""});
  EXPECT_THAT(render_report(sources, no_stages().dump()), HasSubstr("objects are 8-connected components"));
}

// What the page says of a model with these figures on its test subset, and of Otsu's threshold.
std::string verdict_for(double dice, int objects, const pipeline::Value& otsu_dice) {
  const auto figures = [](double value, int predicted) {
    pipeline::Value native = {{"map", value},      {"ap50", value},
                              {"f1_50", value},    {"panoptic_quality", value},
                              {"objects_true", 9}, {"objects_predicted", predicted},
                              {"missed", 0},       {"extra", 0}};
    const std::vector<double> precisions(10, value);
    native["ap"] = {{"by_image", precisions}, {"pooled", precisions}};
    for (const char* average : {"micro", "macro"}) {
      for (const char* name : {"accuracy", "precision", "recall", "dice", "iou", "specificity"})
        native[average][name] = value;
    }
    return native;
  };
  pipeline::Value metrics = {{"threshold", 0.5}, {"test", {{"images", 3}, {"native", figures(dice, objects)}}}};
  if (!otsu_dice.is_null()) metrics["test"]["otsu"] = figures(otsu_dice, 9);
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "metrics.json", metrics.dump());
  ReportSources sources;
  sources.add("metrics", {folder.path(), ""});
  return render_report(sources, no_stages().dump());
}

TEST(Report, IsGreenOnlyAboveWhatAThresholdWithoutTrainingScores) {
  const std::string above = verdict_for(0.9, 9, 0.7), equal = verdict_for(0.7, 9, 0.7),
                    older = verdict_for(0.2, 9, nullptr);
  EXPECT_THAT(above, testing::AllOf(HasSubstr("verdict good"),
                                    HasSubstr("Dice 0.9000 on the test subset, above that of "
                                              "Otsu's threshold of each picture, which needs "
                                              "no training (0.7000)."),
                                    HasSubstr("Beside a threshold")));
  EXPECT_THAT(equal, testing::AllOf(HasSubstr("verdict open"), HasSubstr("not above that of Otsu's threshold")));
  EXPECT_THAT(older, testing::AllOf(HasSubstr("verdict good"), testing::Not(HasSubstr("Otsu"))));
}

TEST(Report, ShowsScoresByVisualTypeAndSizeWithIntervalsAndCalibration) {
  pipeline::Value native = {{"map", 0.5},        {"ap50", 0.7},
                            {"f1_50", 0.8},      {"panoptic_quality", 0.6},
                            {"objects_true", 9}, {"objects_predicted", 9},
                            {"missed", 0},       {"extra", 0}};
  const std::vector<double> precisions(10, 0.5);
  native["ap"] = {{"by_image", precisions}, {"pooled", precisions}};
  for (const char* average : {"micro", "macro"}) {
    for (const char* name : {"accuracy", "precision", "recall", "dice", "iou", "specificity"})
      native[average][name] = 0.9;
  }
  native["intervals"] = {{"dice", {0.85, 0.95}}, {"map", {0.41, 0.59}}, {"ap50", {0.6, 0.8}}};
  native["by_size"] = {{{"from", 0}, {"below", 64}, {"objects", 4}, {"found", 1}},
                       {{"from", 64}, {"objects", 0}, {"found", 0}}};
  native["calibration"] = {{"error", 0.0123}, {"bins", {{{"pixels", 5}, {"probability", 0.1}, {"foreground", 0.2}}}}};
  pipeline::Value test = {{"images", 3}, {"native", native}};
  test["looks"] = {{"<stained>", {{"images", 2}, {"native", native}}}};
  test["relatives"] = {{"with", {{"images", 2}, {"native", native}}}};
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "metrics.json", pipeline::Value{{"threshold", 0.5}, {"test", test}}.dump());
  ReportSources sources;
  sources.add("metrics", {folder.path(), ""});
  EXPECT_THAT(
      render_report(sources, no_stages().dump()),
      testing::AllOf(HasSubstr("0.5000 (0.41 to 0.59)"), HasSubstr("&lt;stained&gt;"), HasSubstr("<td>yes</td>"),
                     HasSubstr("0 to 63"), HasSubstr("64 or more"), HasSubstr("0.2500"), HasSubstr("test 0.0123")));
}

TEST(Report, SaysWhenAModelPredictsNothing) {
  EXPECT_THAT(verdict_for(0, 0, 0.0),
              testing::AllOf(HasSubstr("verdict open"), HasSubstr("The model predicts no object in any test image")));
}

TEST(Report, ADamagedFileIsNamed) {
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "metrics.json", "{\"threshold\":");
  ReportSources sources;
  sources.add("metrics", {folder.path(), ""});
  try {
    render_report(sources, no_stages().dump());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("metrics.json: is not JSON"));
  }
}

}  // namespace
}  // namespace penstock::stages
