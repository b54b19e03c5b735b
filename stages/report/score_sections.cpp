#include "stages/report/score_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "pipeline/counted.h"
#include "stages/packs/json_file.h"
#include "stages/report/html.h"
#include "stages/report/report_charts.h"
#include "stages/report/score_breakdowns.h"
#include "stages/training/decoders.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* scored_subsets[] = {"train", "validation", "test"};

std::string pixel_scores(const Value& metrics) {
  std::vector<std::vector<std::string>> rows;
  for (const char* subset : scored_subsets) {
    if (!metrics.contains(subset)) continue;
    const Value& part = metrics.at(subset);
    const std::string name = fmt::format("{} ({})", subset, pipeline::counted(part.at("images"), "image"));
    for (const char* grid : {"grid", "native"}) {
      if (!part.contains(grid)) continue;  // samples of their own size lie on none
      for (const char* average : {"micro", "macro"}) {
        const Value& f = part.at(grid).at(average);
        rows.push_back({name, grid, average, figure(f.at("accuracy")), figure(f.at("precision")),
                        figure(f.at("recall")), figure(f.at("dice")), figure(f.at("iou")),
                        figure(f.at("specificity"))});
      }
    }
  }
  return "<h3>Pixels</h3>" +
         table({"subset", "grid", "average", "accuracy", "precision", "recall", "Dice (F1)", "IoU", "specificity"},
               rows) +
         "<p>Grid: at training size. Native: the probability brought to the image's own size, then the threshold. "
         "Micro: all pixels together; macro: the mean over images.</p>";
}

// "4-connected components, of 8 pixels or more", as the scores were taken.
std::string object_rule(const Value& metrics) {
  if (!metrics.contains("instances")) return "connected components";
  const Value& rules = metrics.at("instances");
  std::string text = fmt::format("{}-connected components", rules.at("connectivity").get<int>());
  if (const std::string decoder = rules.value("decoder", "components"); decoder != "components") {
    text = fmt::format("those of the decoder {} ({}", decoder, decoder_rule(decoder).help);
    if (rules.contains("seed_threshold")) text += " " + text_of(rules.at("seed_threshold"));
    text += ")";
  }
  if (rules.value("holes", "keep") == "fill") text += ", their holes filled";
  if (const int64_t area = rules.at("minimum_area"); area > 0) text += fmt::format(", of {} pixels or more", area);
  return text;
}

std::string object_scores(const Value& metrics) {
  std::vector<std::vector<std::string>> rows, by_threshold;
  for (const char* subset : scored_subsets) {
    if (!metrics.contains(subset)) continue;
    const Value& n = metrics.at(subset).at("native");
    by_threshold.push_back({subset + std::string(", mean over images")});
    by_threshold.push_back({subset + std::string(", all objects together")});
    for (const Value& ap : n.at("ap").at("by_image")) by_threshold[by_threshold.size() - 2].push_back(figure(ap));
    for (const Value& ap : n.at("ap").at("pooled")) by_threshold.back().push_back(figure(ap));
    rows.push_back({subset, figure_with_interval(n, "map"), figure_with_interval(n, "ap50"), figure(n.at("f1_50")),
                    figure(n.at("panoptic_quality")), pipeline::with_commas(n.at("objects_true").get<int64_t>()),
                    pipeline::with_commas(n.at("objects_predicted").get<int64_t>()),
                    pipeline::with_commas(n.at("missed").get<int64_t>()),
                    pipeline::with_commas(n.at("extra").get<int64_t>())});
  }
  return "<h3>Objects</h3>" +
         table({"subset", "mAP", "AP at 0.5", "F1 at 0.5", "panoptic quality", "true", "predicted", "missed", "extra"},
               rows) +
         fmt::format(
             "<p>mAP: mean over images and IoU thresholds 0.50 to 0.95 of TP / (TP + FP + FN), matched when IoU "
             "exceeds the threshold; objects are {}. In brackets: 95 % of 1,000 draws of as many images with "
             "replacement (bootstrap).</p>",
             object_rule(metrics)) +
         table({"AP at IoU", "0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"},
               by_threshold);
}

// The model beside what needs no training; empty where eval was older than that.
std::string baseline_scores(const Value& metrics) {
  std::vector<std::vector<std::string>> rows;
  for (const char* subset : scored_subsets) {
    if (!metrics.contains(subset) || !metrics.at(subset).contains("otsu")) continue;
    const Value &model = metrics.at(subset).at("native"), &otsu = metrics.at(subset).at("otsu");
    const auto row = [&](const char* name, const Value& f) {
      rows.push_back({subset, name, figure(f.at("micro").at("dice")), figure(f.at("micro").at("iou")),
                      figure(f.at("map")), figure(f.at("ap50")), figure(f.at("f1_50"))});
    };
    row("model", model);
    row("Otsu", otsu);
  }
  if (rows.empty()) return {};
  return "<h3>Beside a threshold</h3>" +
         table({"subset", "by", "Dice, native", "IoU", "mAP", "AP at 0.5", "F1 at 0.5"}, rows) +
         "<p>Otsu: the threshold that divides the grey values of each picture best (Otsu 1979), found without training "
         "or "
         "masks; the class of the smaller area is foreground.</p>";
}

}  // namespace

Standing standing_of(const Value& metrics) {
  for (const char* subset : {"test", "validation"}) {
    if (!metrics.contains(subset)) continue;
    const Value& model = metrics.at(subset).at("native");
    Standing standing{subset, model.at("micro").at("dice").get<double>(), {}, false};
    standing.predicts_nothing = model.at("objects_predicted") == 0 && model.at("objects_true") > 0;
    if (metrics.at(subset).contains("otsu"))
      standing.otsu = metrics.at(subset).at("otsu").at("micro").at("dice").get<double>();
    return standing;
  }
  return {};
}

std::string threshold_section(const ReportSources& sources, const Value&) {
  const Value sweep = sources.json("metrics", "thresholds.json");
  if (sweep.is_null() || sweep.at("points").empty()) return {};
  Series precision{"precision", blue, {}}, recall{"recall", orange, {}}, dice{"Dice", green, {}};
  Series extra{"false positives", blue, {}}, missed{"false negatives", orange, {}};
  double pixels = 0;
  for (const Value& point : sweep.at("points")) {
    const double threshold = point.at("threshold");
    precision.points.emplace_back(threshold, point.at("precision"));
    recall.points.emplace_back(threshold, point.at("recall"));
    dice.points.emplace_back(threshold, point.at("dice"));
    extra.points.emplace_back(threshold, point.at("fp"));
    missed.points.emplace_back(threshold, point.at("fn"));
    pixels = std::max(pixels, point.at("tp").get<double>() + point.at("fn").get<double>());
  }
  if (pixels == 0) return {};
  const double chosen = sweep.at("chosen");
  const std::vector<Mark> marks = {{chosen, fmt::format("chosen: {:g}", chosen)}};
  return fmt::format(
      "<p>Chosen by the rule <code>{}</code> on the validation subset, pixels of the training grid.</p>"
      "<div class=\"charts\">{}{}</div>",
      escaped(text_of(sweep.at("rule"))),
      line_chart("Precision, recall and Dice", "threshold", {precision, recall, dice}, marks),
      line_chart("Wrong pixels", "threshold", {extra, missed}, marks));
}

std::string scores_section(const ReportSources& sources, const Value&) {
  const Value metrics = sources.json("metrics", "metrics.json");
  if (metrics.is_null()) return {};
  return baseline_scores(metrics) + pixel_scores(metrics) + object_scores(metrics) + score_breakdowns(metrics);
}

std::string runs_section(const ReportSources& sources, const Value&) {
  if (sources.all("runs").empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const auto& source : sources.all("runs")) {
    const Value metrics = read_json(source.folder / "metrics.json");
    auto& row = rows.emplace_back(std::vector<std::string>{"<code>" + escaped(source.label) + "</code>"});
    if (!metrics.contains("validation")) {
      row.insert(row.end(), 3, "–");
      continue;
    }
    const Value& scores = metrics.at("validation");
    row.push_back(scores.contains("grid") ? figure(scores.at("grid").at("micro").at("dice")) : figure(nullptr));
    row.push_back(figure(scores.at("native").at("micro").at("dice")));
    row.push_back(figure(scores.at("native").at("map")));
  }
  return table({"run", "validation Dice, grid", "Dice, native", "mAP"}, rows);
}

}  // namespace penstock::stages
