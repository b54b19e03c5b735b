#include "stages/report/report_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "distributed/printable.h"
#include "pipeline/files.h"
#include "stages/report/html.h"
#include "stages/report/page.h"
#include "stages/report/report_charts.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::string tile(const std::string& value, const std::string& name) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", value, escaped(name));
}

std::string text_of(const Value& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string size_of(const Value& json) {
  return fmt::format("{} × {}", json.at("width").get<int>(), json.at("height").get<int>());
}

const Value* failed_stage(const Value& lineage) {
  for (const Value& stage : lineage.at("stages")) {
    if (stage.at("state") == "failed" || stage.at("state") == "interrupted") return &stage;
  }
  return nullptr;
}

std::vector<std::pair<double, double>> curve(const Value& epochs, const char* subset, const char* name) {
  std::vector<std::pair<double, double>> points;
  for (const Value& epoch : epochs) {
    // A loss that was no number is null in the file.
    if (!epoch.at(subset).is_null() && epoch.at(subset).at(name).is_number())
      points.emplace_back(epoch.at("epoch"), epoch.at(subset).at(name));
  }
  return points;
}

Series counts_series(const Value& counts, const char* name, const char* color) {
  Series series{name, color, {}};
  for (size_t i = 0; i < counts.size(); ++i) series.points.emplace_back(static_cast<double>(i), counts[i]);
  return series;
}

std::string histogram_of(const Value& json, const std::string& title, const std::string& x_title) {
  return histogram(title, x_title, json.at("edges").get<std::vector<double>>(),
                   {counts_series(json.at("counts"), "", blue)});
}

}  // namespace

std::string figure(const Value& number) {
  return number.is_number() ? fmt::format("{:.4f}", number.get<double>()) : "–";
}

std::string verdict_section(const ReportSources& sources, const Value& lineage) {
  if (const Value* stage = failed_stage(lineage)) {
    const bool failed = stage->at("state") == "failed";
    return fmt::format(
        "<div class=\"verdict {}\"><h2>{}</h2><p>Stage <b>{}</b> {}.</p><pre>{}</pre></div>\n", failed ? "bad" : "open",
        failed ? "This run failed" : "This run was interrupted", escaped(stage->at("name").get<std::string>()),
        failed ? "failed" : "was interrupted; the same command continues it", escaped(stage->value("message", "")));
  }
  const Value metrics = sources.json("metrics", "metrics.json");
  if (metrics.is_null()) return "<div class=\"verdict open\"><h2>No model has been evaluated yet</h2></div>\n";
  std::string tiles;
  for (const char* subset : {"validation", "test"}) {
    if (!metrics.contains(subset)) continue;
    const Value& part = metrics.at(subset);
    tiles += tile(figure(part.at("grid").at("micro").at("dice")), fmt::format("{} Dice, grid", subset));
    tiles += tile(figure(part.at("native").at("micro").at("dice")), fmt::format("{} Dice, native size", subset));
    tiles += tile(figure(part.at("native").at("map")), fmt::format("{} mAP of objects", subset));
  }
  return fmt::format(
      "<div class=\"verdict good\"><h2>Trained and evaluated</h2><p>Foreground above a probability of {}, {}.</p><div "
      "class=\"tiles\">{}</div></div>\n",
      text_of(metrics.at("threshold")), "scored on images that training never saw", tiles);
}

std::string pipeline_section(const Value& lineage) {
  std::string chips;
  std::vector<std::vector<std::string>> rows;
  double total = 0, longest = 1e-9;
  for (const Value& stage : lineage.at("stages")) longest = std::max(longest, stage.at("seconds").get<double>());
  for (const Value& stage : lineage.at("stages")) {
    const std::string name = escaped(stage.at("name").get<std::string>());
    const std::string state = stage.at("state");
    const std::string shown = state == "hit" ? "cached" : state;
    const double seconds = stage.at("seconds");
    if (state != "hit") total += seconds;
    std::string css = shown;
    std::replace(css.begin(), css.end(), ' ', '-');
    chips += fmt::format("{}<span class=\"chip {}\">{}</span>", chips.empty() ? "" : "<i>→</i>", css, name);
    rows.push_back({name, fmt::format("<span class=\"chip {}\">{}</span>", css, shown),
                    fmt::format("<span class=\"bar\" style=\"width:{:.0f}px\"></span>{}", 120 * seconds / longest,
                                duration(seconds)),
                    escaped(stage.at("reason").get<std::string>()), std::to_string(stage.at("attempts").size())});
  }
  return section("pipeline", "Pipeline",
                 fmt::format("<p class=\"flow\">{}</p>{}<p>Time of the stages that ran here: {}. A cached stage shows "
                             "how long it once took.</p>",
                             chips, table({"stage", "state", "time", "why", "attempts"}, rows), duration(total)));
}

std::string data_section(const ReportSources& sources) {
  const Value summary = sources.json("data", "summary.json");
  if (summary.is_null()) return {};
  std::string tiles =
      tile(grouped(summary.at("samples")), "images") + tile(grouped(summary.at("labelled")), "with masks") +
      tile(grouped(summary.at("objects").at("total")), "objects") +
      tile(fmt::format("{:.1f} %", 100 * summary.at("foreground").at("mean").get<double>()), "foreground");
  std::vector<std::vector<std::string>> sizes, looks;
  for (const Value& size : summary.value("sizes", Value::array()))
    sizes.push_back({size_of(size), grouped(size.at("samples"))});
  for (const Value& look : summary.value("looks", Value::array()))
    looks.push_back({escaped(text_of(look.at("look"))), grouped(look.at("samples"))});
  std::string channels;
  for (const Value& kind : summary.value("channels", Value::array())) {
    channels += fmt::format("{}{} images with {} channels of {} bits", channels.empty() ? "" : ", ",
                            kind.at("samples").get<int>(), kind.at("channels").get<int>(), kind.at("bits").get<int>());
  }
  const Value& histograms = summary.at("histograms");
  std::vector<double> edges;
  for (int i = 0; i <= histograms.at("intensity").at("bins").get<int>(); ++i) edges.push_back(i);
  const Value& intensity = histograms.at("intensity").at("counts");
  std::vector<Series> rows;
  constexpr const char* names[] = {"red", "green", "blue"};
  constexpr const char* colors[] = {orange, green, blue};
  for (size_t c = 0; c < intensity.size(); ++c)
    rows.push_back(counts_series(intensity[c], intensity.size() == 1 ? "grey" : names[c],
                                 intensity.size() == 1 ? grey : colors[c]));
  std::string charts = histogram("Intensity of pixels", "value, 0 to 255", edges, rows) +
                       histogram_of(histograms.at("foreground"), "Foreground of images", "share of pixels") +
                       histogram_of(histograms.at("objects"), "Objects of images", "objects") +
                       histogram_of(histograms.at("object_area"), "Area of objects", "native pixels");
  std::string content = fmt::format(
      "<div class=\"tiles\">{}</div><div class=\"columns\">{}{}</div><p>{}. Training grid: {} × {}, {} channels. "
      "Objects per image: {} to {}, median {}.</p><div class=\"charts\">{}</div>",
      tiles, table({"size", "images"}, sizes), table({"look", "images"}, looks), escaped(channels),
      summary.at("grid").at("width").get<int>(), summary.at("grid").at("height").get<int>(),
      summary.at("grid").at("channels").get<int>(), summary.at("objects").at("minimum").get<int64_t>(),
      summary.at("objects").at("maximum").get<int64_t>(), summary.at("objects").at("median").get<int64_t>(), charts);
  const Value verdict = sources.json("data", "verdict.json");
  if (!verdict.is_null() && !verdict.at("warnings").empty()) {
    std::string list;
    for (const Value& warning : verdict.at("warnings")) {
      list += fmt::format("<li><code>{}</code>: {}</li>",
                          escaped(std::string(distributed::beginning_of(text_of(warning.at("sample")), 16))),
                          escaped(text_of(warning.at("warning"))));
    }
    content += fmt::format("<details><summary>{} warnings about samples</summary><ul>{}</ul></details>",
                           verdict.at("warnings").size(), list);
  }
  const Value gallery = sources.json("gallery", "gallery.json");
  if (!gallery.is_null()) {
    std::string pairs;
    for (const Value& pair : gallery.at("pairs")) {
      const std::string id = pair.at("id");
      pairs +=
          "<figure>" +
          picture_of_png(pipeline::read_file(*sources.folder("gallery") / pair.at("image").get<std::string>()), id);
      if (pair.contains("mask"))
        pairs += picture_of_png(pipeline::read_file(*sources.folder("gallery") / pair.at("mask").get<std::string>()),
                                "mask of " + id);
      pairs +=
          fmt::format("<figcaption>{}</figcaption></figure>", escaped(std::string(distributed::beginning_of(id, 12))));
    }
    content += "<h3>Drawn at random: image and mask</h3><div class=\"gallery pairs\">" + pairs + "</div>";
  }
  return section("data", "Data", content);
}

std::string network_section(const ReportSources& sources) {
  const Value architecture = sources.json("model", "architecture.json");
  if (architecture.is_null()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const Value& layer : architecture.at("layers")) {
    const auto shape = layer.at("output").get<std::vector<int64_t>>();
    rows.push_back({"<code>" + escaped(text_of(layer.at("name"))) + "</code>", escaped(text_of(layer.at("kind"))),
                    fmt::format("{} × {} × {}", shape[0], shape[1], shape[2]), grouped(layer.at("parameters")),
                    fmt::format("{:.1f} M", layer.at("flops").get<double>() / 1e6)});
  }
  return section(
      "network", "Network",
      fmt::format("<p>A U-Net with {} parameters; {:.2f} GFLOP for one image forward (a multiply-add counted as "
                  "two).</p>{}<details><summary>Layers</summary>{}</details>",
                  grouped(architecture.at("parameters")), architecture.at("flops").get<double>() / 1e9,
                  network_drawing(architecture),
                  table({"layer", "kind", "output (channels × height × width)", "parameters", "FLOP"}, rows)));
}

std::string training_section(const ReportSources& sources) {
  const Value curves = sources.json("curves", "curves.json");
  if (curves.is_null() || curves.at("epochs").empty()) return {};
  const Value& epochs = curves.at("epochs");
  std::vector<Mark> marks;
  const int64_t best = curves.at("best_epoch"), last = curves.at("last_epoch");
  if (best > 0) marks.push_back({static_cast<double>(best), fmt::format("best: epoch {}", best)});
  if (curves.at("stopped_early").get<bool>() && last != best) marks.push_back({static_cast<double>(last), "stopped"});
  std::string charts;
  for (const auto& [name, title] : std::vector<std::pair<const char*, const char*>>{{"loss", "Loss"},
                                                                                    {"f1", "F1 (Dice)"},
                                                                                    {"precision", "Precision"},
                                                                                    {"recall", "Recall"},
                                                                                    {"accuracy", "Accuracy"}}) {
    charts += line_chart(
        title, "epoch",
        {{"train", blue, curve(epochs, "train", name)}, {"validation", orange, curve(epochs, "validation", name)}},
        marks);
  }
  const Value& best_row = epochs[static_cast<size_t>(std::max<int64_t>(best, 1) - 1)];
  const Value& last_row = epochs.back();
  std::string box =
      fmt::format("<li>Best epoch: {} of {} ({} = {}). Published weights: those of the {} epoch.</li>", best, last,
                  text_of(curves.at("monitor")), figure(curves.at("best_value")), text_of(curves.at("final")));
  if (curves.at("stopped_early").get<bool>()) {
    box += fmt::format("<li>Stopped early after epoch {} of {}: {} did not improve by {} for {} epochs.</li>", last,
                       curves.at("planned_epochs").get<int>(), text_of(curves.at("stop_monitor")),
                       text_of(curves.at("min_delta")), curves.at("patience").get<int>());
  } else if (curves.at("patience").get<int>() > 0) {
    box += fmt::format("<li>Early stopping (patience {}) did not stop it: all {} epochs ran.</li>",
                       curves.at("patience").get<int>(), last);
  } else {
    box += fmt::format("<li>Early stopping was off: all {} epochs ran.</li>", last);
  }
  if (!best_row.at("validation").is_null()) {
    const auto gap = [](const Value& row) { return figure_of("val_loss", row) - figure_of("loss", row); };
    const auto shown = [](double number) { return std::isfinite(number) ? fmt::format("{:+.4f}", number) : "–"; };
    box += fmt::format(
        "<li>Validation F1: {} at the best epoch, {} at the last. Validation loss over train loss: {} at the best "
        "epoch, {} at the last{}.</li>",
        figure(best_row.at("validation").at("f1")), figure(last_row.at("validation").at("f1")), shown(gap(best_row)),
        shown(gap(last_row)), gap(last_row) > 2 * std::abs(gap(best_row)) + 0.02 ? ": it had begun to overfit" : "");
  }
  const Value telemetry = sources.json("telemetry", "telemetry.json");
  if (!telemetry.is_null()) {
    const Value& checkpoints = telemetry.at("checkpoints");
    box += fmt::format(
        "<li>{} rank(s) with {} thread(s), {:.1f} images/s; {} checkpoints, for which training waited {}; resumed {} "
        "time(s).</li>",
        telemetry.at("ranks").get<int>(), telemetry.at("threads").get<int>(),
        telemetry.at("images_per_second").get<double>(), checkpoints.at("count").get<int>(),
        duration(checkpoints.at("blocked_seconds")), telemetry.at("resumed_at_steps").size());
  }
  return section("training", "Training",
                 fmt::format("<div class=\"charts\">{}</div><div class=\"box\"><h3>What the callbacks "
                             "did</h3><ul>{}</ul><p>Train figures are {}.</p></div>",
                             charts, box, escaped(text_of(curves.at("train_figures")))));
}

std::string threshold_section(const ReportSources& sources) {
  const Value sweep = sources.json("metrics", "thresholds.json");
  if (sweep.is_null() || sweep.at("points").empty()) return {};
  Series precision{"precision", blue, {}}, recall{"recall", orange, {}}, dice{"Dice", green, {}},
      fp{"false positives", blue, {}}, fn{"false negatives", orange, {}};
  double pixels = 0;
  for (const Value& p : sweep.at("points")) {
    const double t = p.at("threshold");
    precision.points.emplace_back(t, p.at("precision"));
    recall.points.emplace_back(t, p.at("recall"));
    dice.points.emplace_back(t, p.at("dice"));
    fp.points.emplace_back(t, p.at("fp"));
    fn.points.emplace_back(t, p.at("fn"));
    pixels = std::max(pixels, p.at("tp").get<double>() + p.at("fn").get<double>());
  }
  if (pixels == 0) return {};
  const double chosen = sweep.at("chosen");
  const std::vector<Mark> marks = {{chosen, fmt::format("chosen: {:g}", chosen)}};
  return section("threshold", "Threshold",
                 fmt::format("<p>Chosen by the rule <code>{}</code> on the validation subset, pixels of the training "
                             "grid.</p><div class=\"charts\">{}{}</div>",
                             escaped(text_of(sweep.at("rule"))),
                             line_chart("Precision, recall and Dice", "threshold", {precision, recall, dice}, marks),
                             line_chart("Wrong pixels", "threshold", {fp, fn}, marks)));
}

std::string scores_section(const ReportSources& sources) {
  const Value metrics = sources.json("metrics", "metrics.json");
  if (metrics.is_null()) return {};
  std::vector<std::vector<std::string>> pixels, objects;
  for (const char* subset : {"train", "validation", "test"}) {
    if (!metrics.contains(subset)) continue;
    const Value& part = metrics.at(subset);
    for (const char* grid : {"grid", "native"}) {
      for (const char* average : {"micro", "macro"}) {
        const Value& f = part.at(grid).at(average);
        pixels.push_back({fmt::format("{} ({} images)", subset, part.at("images").get<int>()), grid, average,
                          figure(f.at("accuracy")), figure(f.at("precision")), figure(f.at("recall")),
                          figure(f.at("dice")), figure(f.at("iou")), figure(f.at("specificity"))});
      }
    }
    const Value& n = part.at("native");
    objects.push_back({subset, figure(n.at("map")), figure(n.at("ap50")), figure(n.at("f1_50")),
                       figure(n.at("panoptic_quality")), grouped(n.at("objects_true")),
                       grouped(n.at("objects_predicted")), grouped(n.at("missed")), grouped(n.at("extra"))});
  }
  return section(
      "scores", "Scores",
      "<h3>Pixels</h3>" +
          table({"subset", "grid", "average", "accuracy", "precision", "recall", "Dice (F1)", "IoU", "specificity"},
                pixels) +
          "<p>Grid: at training size. Native: the probability brought to the image's own size, then the threshold. "
          "Micro: all pixels together; macro: the mean over images.</p>"
          "<h3>Objects</h3>" +
          table({"subset", "mAP", "AP at 0.5", "F1 at 0.5", "panoptic quality", "true", "predicted", "missed", "extra"},
                objects) +
          "<p>mAP: mean over images and IoU thresholds 0.50 to 0.95 of TP / (TP + FP + FN), matched when IoU exceeds "
          "the threshold; objects are 4-connected components.</p>");
}

std::string runs_section(const ReportSources& sources) {
  if (sources.all("runs").empty()) return {};
  std::vector<std::vector<std::string>> rows;
  for (const auto& source : sources.all("runs")) {
    const Value metrics = Value::parse(pipeline::read_file(source.folder / "metrics.json"));
    const Value subset = metrics.contains("validation") ? metrics.at("validation") : Value();
    rows.push_back({"<code>" + escaped(source.label) + "</code>",
                    subset.is_null() ? "–" : figure(subset.at("grid").at("micro").at("dice")),
                    subset.is_null() ? "–" : figure(subset.at("native").at("micro").at("dice")),
                    subset.is_null() ? "–" : figure(subset.at("native").at("map"))});
  }
  return section("runs", "Runs", table({"run", "validation Dice, grid", "Dice, native", "mAP"}, rows));
}

std::string settings_section(const ReportSources& sources, const Value& lineage) {
  std::string content;
  for (const Value& stage : lineage.at("stages")) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : stage.at("parameters").items())
      rows.push_back({"<code>" + escaped(name) + "</code>", escaped(text_of(value))});
    if (rows.empty()) continue;
    content += fmt::format("<details><summary>{} <small>({} version {})</small></summary>{}</details>",
                           escaped(text_of(stage.at("name"))), escaped(text_of(stage.at("kind"))),
                           stage.at("version").get<int>(), table({"parameter", "value"}, rows));
  }
  std::vector<std::vector<std::string>> environment;
  Value all = lineage.at("environment");
  const Value telemetry = sources.json("telemetry", "telemetry.json");
  if (!telemetry.is_null()) {
    all.update(telemetry.value("environment", Value::object()));
    std::set<std::string> hosts;
    for (const Value& host : telemetry.at("hosts")) hosts.insert(text_of(host));
    all["hosts of training"] = fmt::format("{}", fmt::join(hosts, ", "));
  }
  for (const auto& [name, value] : all.items()) environment.push_back({escaped(name), escaped(text_of(value))});
  return section("settings", "Settings and environment", content + table({"", ""}, environment));
}

}  // namespace penstock::stages
