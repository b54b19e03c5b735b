#include "stages/report/data_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "distributed/check.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/report/html.h"
#include "stages/report/report_charts.h"
#include "stages/resize_modes.h"

namespace penstock::stages {
namespace {

using pipeline::counted;
using pipeline::Value;

std::string tiles_of(const Value& summary) {
  const double foreground = summary.at("foreground").at("mean");
  return "<div class=\"tiles\">" + tile(pipeline::with_commas(summary.at("samples").get<int64_t>()), "images") +
         tile(pipeline::with_commas(summary.at("labelled").get<int64_t>()), "with masks") +
         tile(pipeline::with_commas(summary.at("objects").at("total").get<int64_t>()), "objects") +
         tile(fmt::format("{:.1f} %", 100 * foreground), "foreground") + "</div>";
}

std::string tables_of(const Value& summary) {
  std::vector<std::vector<std::string>> sizes, looks;
  for (const Value& size : summary.value("sizes", Value::array())) {
    sizes.push_back({fmt::format("{} × {}", size.at("width").get<int>(), size.at("height").get<int>()),
                     pipeline::with_commas(size.at("samples").get<int64_t>())});
  }
  for (const Value& look : summary.value("looks", Value::array()))
    looks.push_back({escaped(text_of(look.at("look"))), pipeline::with_commas(look.at("samples").get<int64_t>())});
  return "<div class=\"columns\">" + table({"size", "images"}, sizes) + table({"look", "images"}, looks) + "</div>";
}

std::string sizes_in_words(const Value& grid) {
  const SampleRule rule = sample_rule_from(grid);
  if (!rule.own_size()) return fmt::format("Training grid: {} × {}", rule.width, rule.height);
  if (resize_mode(rule.mode).by_sides)
    return fmt::format("Samples of their pictures' shape that fit into {} × {}", rule.width, rule.height);
  if (rule.scale == 1) return "Samples at their own size";
  return fmt::format("Samples at their own size times {:.4g}", rule.scale);
}

std::string sentence_of(const Value& summary) {
  std::string channels;
  for (const Value& kind : summary.value("channels", Value::array())) {
    channels +=
        fmt::format("{}{} with {} of {} bits", channels.empty() ? "" : ", ", counted(kind.at("samples"), "image"),
                    counted(kind.at("channels"), "channel"), kind.at("bits").get<int>());
  }
  const Value &grid = summary.at("grid"), &objects = summary.at("objects");
  std::string masks;
  if (const Value about = summary.value("masks", Value()); !about.is_null()) {
    const std::string chosen = text_of(about.at("chosen")) == "auto" ? "auto: " + text_of(about.at("why")) : "given";
    masks = " Masks mean " + text_of(about.at("meaning")) + " (" + chosen + ").";
  }
  return fmt::format("<p>{}. {}, {}. Objects per image: {} to {}, median {}.{}</p>", escaped(channels),
                     sizes_in_words(grid), counted(grid.at("channels"), "channel"),
                     objects.at("minimum").get<int64_t>(), objects.at("maximum").get<int64_t>(),
                     objects.at("median").get<int64_t>(), escaped(masks));
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

// One row of counts for grey images, one of each channel for coloured ones.
std::string intensity_histogram(const Value& intensity) {
  constexpr const char* names[] = {"red", "green", "blue"};
  constexpr const char* colors[] = {orange, green, blue};
  std::vector<double> edges;
  for (int i = 0; i <= intensity.at("bins").get<int>(); ++i) edges.push_back(i);
  const Value& counts = intensity.at("counts");
  PENSTOCK_CHECK(counts.size() <= std::size(names), "the histogram of intensity has one row, or red, green and blue");
  std::vector<Series> rows;
  for (size_t c = 0; c < counts.size(); ++c) {
    rows.push_back(counts.size() == 1 ? counts_series(counts[c], "grey", grey)
                                      : counts_series(counts[c], names[c], colors[c]));
  }
  return histogram("Intensity of pixels", "value, 0 to 255", edges, rows);
}

std::string charts_of(const Value& histograms) {
  return "<div class=\"charts\">" + intensity_histogram(histograms.at("intensity")) +
         histogram_of(histograms.at("foreground"), "Foreground of images", "share of pixels") +
         histogram_of(histograms.at("objects"), "Objects of images", "objects") +
         histogram_of(histograms.at("object_area"), "Area of objects", "native pixels") + "</div>";
}

std::string warnings_in(const Value& verdict) {
  if (verdict.is_null() || verdict.at("warnings").empty()) return {};
  std::string list;
  for (const Value& warning : verdict.at("warnings")) {
    list += fmt::format("<li><code>{}</code>: {}</li>",
                        escaped(std::string(distributed::beginning_of(text_of(warning.at("sample")), 16))),
                        escaped(text_of(warning.at("warning"))));
  }
  return fmt::format("<details><summary>{} about samples</summary><ul>{}</ul></details>",
                     counted(static_cast<int64_t>(verdict.at("warnings").size()), "warning"), list);
}

constexpr size_t shown_left_out = 100;

// Samples that on_bad = "quarantine" left out: all figures are without them.
std::string left_out_in(const Value& verdict, const Value& summary) {
  const Value all = verdict.is_null() ? Value() : verdict.value("quarantined", Value::array());
  if (all.empty()) return {};
  std::string list;
  for (size_t i = 0; i < std::min(all.size(), shown_left_out); ++i)
    list += fmt::format("<li><code>{}</code>: {}</li>", escaped(text_of(all[i].at("id"))),
                        escaped(text_of(all[i].at("reason"))));
  if (all.size() > shown_left_out)
    list += fmt::format("<li>the other {} are in verdict.json</li>", all.size() - shown_left_out);
  const auto left = static_cast<int64_t>(all.size());
  return fmt::format(
      "<p><b>Left out:</b> {} of {}, whose files cannot be read (<code>on_bad = \"quarantine\"</code>).</p>"
      "<details><summary>which, and why</summary><ul>{}</ul></details>",
      pipeline::with_commas(left), pipeline::counted(summary.at("samples").get<int64_t>() + left, "sample"), list);
}

constexpr size_t shown_findings = 10;  // of each rule

// The small pictures of what a finding names; nothing for those that have none.
std::string thumbnails_of(const ReportSources& sources, const Value& finding) {
  std::string pictures;
  for (const Value& name : finding.value("thumbnails", Value::array()))
    pictures += picture_of_png(pipeline::read_file(*sources.folder("data") / name.get<std::string>()), text_of(name));
  return pictures;
}

std::string rule_in(const ReportSources& sources, const Value& rule, const Value& findings) {
  std::string list;
  size_t shown = 0;
  for (const Value& finding : findings) {
    if (finding.at("rule") != rule.at("rule") || shown == shown_findings) continue;
    ++shown;
    std::string files;
    for (const Value& file : finding.at("files"))
      files +=
          (files.empty() ? "<code style=\"overflow-wrap:anywhere\">" : ", <code style=\"overflow-wrap:anywhere\">") +
          escaped(text_of(file)) + "</code>";
    list += fmt::format("<li>{} {}<br>{}</li>", thumbnails_of(sources, finding), escaped(text_of(finding.at("text"))),
                        files);
  }
  const auto all = rule.at("findings").get<size_t>();
  if (all > shown) list += fmt::format("<li>the other {} are in findings.csv</li>", all - shown);
  return fmt::format("<details><summary>{}: {} {} ({})</summary><ul class=\"findings\">{}</ul></details>",
                     escaped(text_of(rule.at("severity"))), all, escaped(text_of(rule.at("rule"))),
                     escaped(text_of(rule.at("help"))), list);
}

std::string findings_in(const ReportSources& sources) {
  const Value findings = sources.json("data", "findings.json");
  if (findings.is_null()) return {};
  std::string rules;
  for (const Value& rule : findings.at("rules")) {
    if (rule.at("findings").get<int64_t>() > 0) rules += rule_in(sources, rule, findings.at("findings"));
  }
  if (rules.empty()) rules = "<p>No rule of the audit found anything.</p>";
  return "<h3>Audit: findings by rule</h3>" + rules;
}

std::string leakage_in(const Value& split) {
  if (split.is_null() || !split.contains("leakage")) return {};
  const Value& leakage = split.at("leakage");
  const auto related = leakage.at("related").get<int64_t>(), held_out = leakage.at("held_out").get<int64_t>();
  if (leakage.at("groups").empty())
    return "<p>Leakage: no tile or copy of one picture stands in several subsets, as far as the audit sees.</p>";
  return fmt::format(
      "<p><b>Leakage:</b> {} of the {} samples that validate or test have a tile or copy of the same picture in "
      "another subset; "
      "their scores say too much. <code>split.by = \"group\"</code> keeps them together.</p>",
      related, held_out);
}

std::string gallery_of(const ReportSources& sources) {
  const Value gallery = sources.json("gallery", "gallery.json");
  if (gallery.is_null()) return {};
  const auto picture_in = [&](const Value& name, const std::string& caption) {
    return picture_of_png(pipeline::read_file(*sources.folder("gallery") / name.get<std::string>()), caption);
  };
  std::string pairs;
  for (const Value& pair : gallery.at("pairs")) {
    const std::string id = pair.at("id");
    pairs += "<figure>" + picture_in(pair.at("image"), id);
    if (pair.contains("mask")) pairs += picture_in(pair.at("mask"), "mask of " + id);
    pairs +=
        fmt::format("<figcaption>{}</figcaption></figure>", escaped(std::string(distributed::beginning_of(id, 12))));
  }
  return "<h3>Drawn at random: image and mask</h3><div class=\"gallery pairs\">" + pairs + "</div>";
}

}  // namespace

std::string data_section(const ReportSources& sources, const Value&) {
  const Value summary = sources.json("data", "summary.json");
  if (summary.is_null()) return {};
  const Value verdict = sources.json("data", "verdict.json");
  return tiles_of(summary) + left_out_in(verdict, summary) + tables_of(summary) + sentence_of(summary) +
         charts_of(summary.at("histograms")) + warnings_in(verdict) + findings_in(sources) +
         leakage_in(sources.json("split", "split.json")) + gallery_of(sources);
}

}  // namespace penstock::stages
