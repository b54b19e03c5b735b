// report: one HTML file from what the other stages published.
#include "stages/report/report.h"

#include <fmt/format.h>

#include "pipeline/files.h"
#include "stages/kinds.h"
#include "stages/report/data_section.h"
#include "stages/report/network_section.h"
#include "stages/report/page.h"
#include "stages/report/pictures_section.h"
#include "stages/report/report_section.h"
#include "stages/report/run_sections.h"
#include "stages/report/score_sections.h"
#include "stages/report/training_section.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// In the order of the page.
constexpr ReportSection sections[] = {
    {"pipeline", "Pipeline", pipeline_section},
    {"runs", "Runs", runs_section},
    {"data", "Data", data_section},
    {"network", "Network", network_section},
    {"training", "Training", training_section},
    {"threshold", "Threshold", threshold_section},
    {"scores", "Scores", scores_section},
    {"pictures", "Predictions", pictures_section},
    {"settings", "Settings and environment", settings_section},
};

void report(pipeline::StageContext& context) {
  ReportSources sources;
  for (const auto& [port, inputs] : context.inputs) {
    for (const pipeline::InputSource& input : inputs) sources.add(port, {input.path, input.label});
  }
  pipeline::write_file(context.output("html") / "report.html", render_report(sources, context.lineage));
}

}  // namespace

std::string render_report(const ReportSources& sources, const std::string& lineage_text) {
  const Value lineage = Value::parse(lineage_text);
  const std::string name = lineage.at("pipeline");
  const std::string label = lineage.at("label");
  std::string links, body;
  for (const ReportSection& one : sections) {
    const std::string content = one.content(sources, lineage);
    if (content.empty()) continue;
    links += fmt::format("<a href=\"#{}\">{}</a>", one.id, one.title);
    body += section(one.id, one.title, content);
  }
  return page(name + ": report", name, label.empty() ? lineage.at("config").get<std::string>() : label,
              "<nav>" + links + "</nav>" + verdict(sources, lineage) + body);
}

pipeline::StageKind report_kind() {
  pipeline::StageKind kind;
  kind.name = "report";
  kind.version = 6;  // legends of charts stand below their titles, not beside them
  kind.summary = "writes one self-contained HTML file about the run";
  kind.inputs = {{.name = "curves", .help = "train.curves", .optional = true},
                 {.name = "telemetry", .help = "train.telemetry", .optional = true},
                 {.name = "model", .help = "eval.model", .optional = true},
                 {.name = "metrics", .help = "eval.metrics", .optional = true},
                 {.name = "predictions", .help = "eval.predictions", .optional = true},
                 {.name = "data", .help = "inspect.summary", .optional = true},
                 {.name = "gallery", .help = "inspect.gallery", .optional = true},
                 {.name = "split", .help = "split.index: what leaks between subsets", .optional = true},
                 {.name = "runs", .help = "eval.metrics[*]: one row per run", .optional = true, .many = true}};
  kind.outputs = {{.name = "html", .help = "report.html", .is_volatile = true}};
  kind.reads_lineage = true;
  kind.body = [] { return pipeline::body_of(report); };
  return kind;
}

}  // namespace penstock::stages
