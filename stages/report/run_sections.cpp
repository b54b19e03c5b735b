#include "stages/report/run_sections.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "stages/report/html.h"
#include "stages/report/score_sections.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

const Value* stage_that_ended_the_run(const Value& lineage) {
  for (const Value& stage : lineage.at("stages")) {
    if (stage.at("state") == "failed" || stage.at("state") == "interrupted") return &stage;
  }
  return nullptr;
}

std::string verdict_on(const Value& stage) {
  const bool failed = stage.at("state") == "failed";
  return fmt::format(
      "<div class=\"verdict {}\"><h2>{}</h2><p>Stage <b>{}</b> {}.</p><pre>{}</pre></div>\n", failed ? "bad" : "open",
      failed ? "This run failed" : "This run was interrupted", escaped(stage.at("name").get<std::string>()),
      failed ? "failed" : "was interrupted; the same command continues it", escaped(stage.value("message", "")));
}

// Name and state of a stage, as text and as the page's CSS class.
struct Chip {
  std::string name, state, css;

  explicit Chip(const Value& stage) : name(escaped(text_of(stage.at("name")))), state(text_of(stage.at("state"))) {
    if (state == "hit") state = "cached";
    css = state;
    std::replace(css.begin(), css.end(), ' ', '-');
  }
  std::string around(const std::string& text) const {
    return fmt::format("<span class=\"chip {}\">{}</span>", css, text);
  }
};

// What the figures are worth beside a threshold that needs no training: a sentence with a space behind it, or nothing.
std::string against_threshold(const Standing& standing) {
  if (standing.predicts_nothing) {
    return fmt::format(
        "The model predicts no object in any {} image: it trained too short, the learning rate is too high or too low, "
        "or "
        "its threshold is; see the curves below. ",
        standing.subset);
  }
  if (!standing.otsu) return {};
  return fmt::format("Dice {} on the {} subset, {} Otsu's threshold of each picture, which needs no training ({}). ",
                     figure(standing.dice), standing.subset, standing.is_good() ? "above that of" : "not above that of",
                     figure(*standing.otsu));
}

}  // namespace

std::string verdict(const ReportSources& sources, const Value& lineage) {
  if (const Value* stage = stage_that_ended_the_run(lineage)) return verdict_on(*stage);
  const Value metrics = sources.json("metrics", "metrics.json");
  if (metrics.is_null()) return "<div class=\"verdict open\"><h2>No model has been evaluated yet</h2></div>\n";
  std::string tiles;
  for (const char* subset : {"validation", "test"}) {
    if (!metrics.contains(subset)) continue;
    const Value& part = metrics.at(subset);
    if (part.contains("grid"))
      tiles += tile(figure(part.at("grid").at("micro").at("dice")), fmt::format("{} Dice, grid", subset));
    tiles += tile(figure(part.at("native").at("micro").at("dice")), fmt::format("{} Dice, native size", subset));
    tiles += tile(figure(part.at("native").at("map")), fmt::format("{} mAP of objects", subset));
  }
  const Standing standing = standing_of(metrics);
  const std::string against = against_threshold(standing);
  return fmt::format(
      "<div class=\"verdict {}\"><h2>{}</h2><p>{}Foreground above a probability of {}, scored on "
      "images that training never saw.</p><div class=\"tiles\">{}</div></div>\n",
      standing.is_good() ? "good" : "open", standing.is_good() ? "Trained and evaluated" : "Trained, but of no use yet",
      against, text_of(metrics.at("threshold")), tiles);
}

std::string pipeline_section(const ReportSources&, const Value& lineage) {
  std::string flow;
  std::vector<std::vector<std::string>> rows;
  double total = 0, longest = 1e-9;
  for (const Value& stage : lineage.at("stages")) longest = std::max(longest, stage.at("seconds").get<double>());
  for (const Value& stage : lineage.at("stages")) {
    const Chip chip(stage);
    const double seconds = stage.at("seconds");
    if (chip.state != "cached") total += seconds;
    flow += (flow.empty() ? "" : "<i>→</i>") + chip.around(chip.name);
    const std::string bar = fmt::format("<span class=\"bar\" style=\"width:{:.0f}px\"></span>{}",
                                        120 * seconds / longest, duration(seconds));
    rows.push_back({chip.name, chip.around(chip.state), bar, escaped(text_of(stage.at("reason"))),
                    std::to_string(stage.at("attempts").size())});
  }
  return fmt::format(
      "<p class=\"flow\">{}</p>{}<p>Time of the stages that ran here: {}. A cached stage shows how long it once "
      "took.</p>",
      flow, table({"stage", "state", "time", "why", "attempts"}, rows), duration(total));
}

std::string settings_section(const ReportSources& sources, const Value& lineage) {
  std::string stages;
  for (const Value& stage : lineage.at("stages")) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : stage.at("parameters").items())
      rows.push_back({"<code>" + escaped(name) + "</code>", escaped(text_of(value))});
    if (rows.empty()) continue;
    stages += fmt::format("<details><summary>{} <small>({} version {})</small></summary>{}</details>",
                          escaped(text_of(stage.at("name"))), escaped(text_of(stage.at("kind"))),
                          stage.at("version").get<int>(), table({"parameter", "value"}, rows));
  }
  Value environment = lineage.at("environment");
  const Value telemetry = sources.json("telemetry", "telemetry.json");
  if (!telemetry.is_null()) {
    environment.update(telemetry.value("environment", Value::object()));
    std::set<std::string> hosts;
    for (const Value& host : telemetry.at("hosts")) hosts.insert(text_of(host));
    environment["hosts of training"] = fmt::format("{}", fmt::join(hosts, ", "));
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : environment.items()) rows.push_back({escaped(name), escaped(text_of(value))});
  return stages + table({"", ""}, rows);
}

}  // namespace penstock::stages
