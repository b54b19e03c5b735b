#include "stages/report/page.h"

#include <fmt/format.h>

#include "stages/report/html.h"

namespace penstock::stages {
namespace {

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
th{color:var(--soft);font-weight:600}.state{white-space:nowrap}.columns{display:flex;flex-wrap:wrap;gap:40px}
.chip{display:inline-block;border-radius:12px;padding:1px 10px;font-size:13px;background:#e5e7eb}.chip.ran{background:#cfe8f7}.chip.cached{background:#d3efe5}
.chip.failed{background:#f9d9c5}.chip.interrupted{background:#fbeec8}.flow i{color:var(--soft);margin:0 4px;font-style:normal}.flow{line-height:2}
.bar{display:inline-block;height:9px;background:#8cc4e6;border-radius:3px;margin-right:8px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(400px,1fr));gap:14px}.chart{width:100%;height:auto}.network{width:100%;max-height:520px}
svg text{font-family:inherit;fill:var(--ink)}svg .title{font-size:15px;font-weight:600}svg .tick{font-size:12px;fill:#4b5563}svg .small{font-size:11px;fill:#6b7280}
svg .rule{stroke:#e8ebee}svg .axis{stroke:#9aa3ad}svg .mark{stroke:#6b7280;stroke-dasharray:4 3}svg .flow{stroke:#6b7280;stroke-width:1.5}svg .skip{stroke:#6b7280;stroke-width:1.5;stroke-dasharray:5 4}
.box{background:var(--tint);border-radius:8px;padding:2px 18px 8px;margin-top:14px}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(480px,1fr));gap:14px}.gallery.pairs{grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
figure{margin:0}figure img{width:24%;margin-right:1%;image-rendering:pixelated;border-radius:4px}.pairs figure img{width:48%}figcaption{font-size:12px;color:var(--soft)}
.key{display:inline-block;width:11px;height:11px;border-radius:2px}details{margin:8px 0}summary{cursor:pointer}
@media(max-width:640px){.charts,.gallery{grid-template-columns:1fr}}
@media print{body{background:#fff}section{break-inside:avoid}nav{display:none}}
)";

}  // namespace

std::string page(const std::string& title, const std::string& heading, const std::string& subtitle,
                 const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">"
      "<title>{}</title><style>{}</style></head><body><main>\n<header><h1>{}</h1><p>{}</p></header>\n{}</main></body></"
      "html>\n",
      escaped(title), style, escaped(heading), escaped(subtitle), body);
}

std::string section(const std::string& id, const std::string& title, const std::string& content) {
  return fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", id, escaped(title), content);
}

}  // namespace penstock::stages
