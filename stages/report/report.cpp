// report: one HTML file from what the other stages published.
#include "stages/report/report.h"

#include <fmt/format.h>

#include "pipeline/files.h"
#include "stages/kinds.h"
#include "stages/report/html.h"
#include "stages/report/page.h"
#include "stages/report/report_pictures.h"
#include "stages/report/report_sections.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::string navigation(const std::string& body) {
  std::string links;
  for (const auto& [id, title] :
       {std::pair("pipeline", "Pipeline"), std::pair("runs", "Runs"), std::pair("data", "Data"),
        std::pair("network", "Network"), std::pair("training", "Training"), std::pair("threshold", "Threshold"),
        std::pair("scores", "Scores"), std::pair("pictures", "Predictions"), std::pair("settings", "Settings")}) {
    if (body.find(fmt::format("<section id=\"{}\">", id)) != std::string::npos)
      links += fmt::format("<a href=\"#{}\">{}</a>", id, title);
  }
  return "<nav>" + links + "</nav>";
}

void report(pipeline::StageContext& context) {
  ReportSources sources;
  for (const auto& [port, inputs] : context.inputs) {
    for (const pipeline::InputSource& input : inputs) sources.add(port, {input.path, input.label});
  }
  pipeline::write_file(context.output("html") / "report.html", render_report(sources, context.lineage));
}

}  // namespace

const std::filesystem::path* ReportSources::folder(const std::string& port) const {
  const auto found = sources_.find(port);
  return found == sources_.end() ? nullptr : &found->second.front().folder;
}

const std::vector<ReportSources::Source>& ReportSources::all(const std::string& port) const {
  static const std::vector<Source> none;
  const auto found = sources_.find(port);
  return found == sources_.end() ? none : found->second;
}

Value ReportSources::json(const std::string& port, const std::string& file) const {
  const auto* place = folder(port);
  if (place == nullptr || !std::filesystem::exists(*place / file)) return nullptr;
  return Value::parse(pipeline::read_file(*place / file));
}

std::string render_report(const ReportSources& sources, const std::string& lineage_text) {
  const Value lineage = Value::parse(lineage_text);
  const std::string name = lineage.at("pipeline");
  const std::string label = lineage.at("label");
  const std::string body = pipeline_section(lineage) + runs_section(sources) + data_section(sources) +
                           network_section(sources) + training_section(sources) + threshold_section(sources) +
                           scores_section(sources) + pictures_section(sources) + settings_section(sources, lineage);
  return page(name + ": report", name, label.empty() ? lineage.at("config").get<std::string>() : label,
              navigation(body) + verdict_section(sources, lineage) + body);
}

pipeline::StageKind report_kind() {
  pipeline::StageKind kind;
  kind.name = "report";
  kind.version = 2;
  kind.summary = "writes one self-contained HTML file about the run";
  kind.inputs = {{.name = "curves", .help = "train.curves", .optional = true},
                 {.name = "telemetry", .help = "train.telemetry", .optional = true},
                 {.name = "model", .help = "eval.model", .optional = true},
                 {.name = "metrics", .help = "eval.metrics", .optional = true},
                 {.name = "predictions", .help = "eval.predictions", .optional = true},
                 {.name = "data", .help = "inspect.summary", .optional = true},
                 {.name = "gallery", .help = "inspect.gallery", .optional = true},
                 {.name = "runs", .help = "eval.metrics[*]: one row per run", .optional = true, .many = true}};
  kind.outputs = {{.name = "html", .help = "report.html", .is_volatile = true}};
  kind.reads_lineage = true;
  kind.body = [] { return pipeline::body_of(report); };
  return kind;
}

}  // namespace penstock::stages
