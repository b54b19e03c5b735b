// report: one HTML file from what the other stages published.
#include "stages/report.h"

#include <fmt/format.h>

#include "pipeline/files.h"
#include "stages/html.h"
#include "stages/kinds.h"
#include "stages/report_sections.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* style = R"(
:root{--ink:#1f2933;--soft:#6b7280;--line:#e2e6ea;--paper:#fff;--tint:#f6f8fa}
*{box-sizing:border-box}body{margin:0;background:var(--tint);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px}header h1{margin:0;font-size:28px}header p{margin:4px 0 16px;color:var(--soft)}
nav{margin-bottom:16px}nav a{margin-right:16px;color:#0072b2;text-decoration:none}
section,.verdict{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:8px 22px 18px;margin-bottom:18px}
h2{font-size:20px;margin:12px 0}h3{font-size:16px;margin:18px 0 8px}
.verdict{border-left:6px solid #009e73}.verdict.bad{border-left-color:#d55e00}.verdict.open{border-left-color:#e69f00}
pre{white-space:pre-wrap;background:var(--tint);padding:10px;border-radius:6px;overflow-wrap:anywhere}
.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:10px 0}.tile{background:var(--tint);border-radius:8px;padding:8px 14px;min-width:130px}
.tile b{display:block;font-size:22px}.tile span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}.columns{display:flex;flex-wrap:wrap;gap:40px}
.chip{display:inline-block;border-radius:12px;padding:1px 10px;font-size:13px;background:#e5e7eb}.chip.ran{background:#cfe8f7}.chip.cached{background:#d3efe5}
.chip.failed{background:#f9d9c5}.chip.interrupted{background:#fbeec8}.flow i{color:var(--soft);margin:0 4px;font-style:normal}.flow{line-height:2}
.bar{display:inline-block;height:9px;background:#8cc4e6;border-radius:3px;margin-right:8px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(400px,1fr));gap:14px}.chart{width:100%;height:auto}.network{width:100%;max-height:520px}
svg text{font-family:inherit;fill:var(--ink)}svg .title{font-size:15px;font-weight:600}svg .tick{font-size:12px;fill:#4b5563}svg .small{font-size:11px;fill:#6b7280}
svg .rule{stroke:#e8ebee}svg .axis{stroke:#9aa3ad}svg .mark{stroke:#6b7280;stroke-dasharray:4 3}svg .flow{stroke:#6b7280;stroke-width:1.5}svg .skip{stroke:#6b7280;stroke-width:1.5;stroke-dasharray:5 4}
.box{background:var(--tint);border-radius:8px;padding:2px 18px 8px;margin-top:14px}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(480px,1fr));gap:14px}.gallery.pairs{grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
figure{margin:0}figure img{width:24%;margin-right:1%;image-rendering:pixelated;border-radius:4px}.pairs figure img{width:48%}figcaption{font-size:12px;color:var(--soft)}
.key{display:inline-block;width:11px;height:11px;border-radius:2px}details{margin:8px 0}summary{cursor:pointer}
@media(max-width:640px){.charts,.gallery{grid-template-columns:1fr}}
@media print{body{background:#fff}section{break-inside:avoid}nav{display:none}}
)";

std::string navigation(const std::string& body) {
  std::string links;
  for (const auto& [id, title] : {std::pair("pipeline", "Pipeline"), std::pair("runs", "Runs"), std::pair("data", "Data"), std::pair("network", "Network"), std::pair("training", "Training"),
                                  std::pair("threshold", "Threshold"), std::pair("scores", "Scores"), std::pair("pictures", "Predictions"), std::pair("settings", "Settings")}) {
    if (body.find(fmt::format("<section id=\"{}\">", id)) != std::string::npos) links += fmt::format("<a href=\"#{}\">{}</a>", id, title);
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
  const std::string body = pipeline_section(lineage) + runs_section(sources) + data_section(sources) + network_section(sources) + training_section(sources) +
                           threshold_section(sources) + scores_section(sources) + pictures_section(sources) + settings_section(sources, lineage);
  return fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                     "<title>{0}: report</title><style>{1}</style></head><body><main>\n<header><h1>{0}</h1><p>{2}</p></header>\n{3}{4}{5}</main></body></html>\n",
                     escaped(name), style, escaped(label.empty() ? lineage.at("config").get<std::string>() : label), navigation(body), verdict_section(sources, lineage), body);
}

pipeline::StageKind report_kind() {
  pipeline::StageKind kind;
  kind.name = "report";
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
  kind.body = [] { return pipeline::body_of(report); };
  return kind;
}

}  // namespace penstock::stages
