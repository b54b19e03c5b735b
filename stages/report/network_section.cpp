#include "stages/report/network_section.h"

#include <fmt/format.h>

#include <vector>

#include "pipeline/counted.h"
#include "stages/report/html.h"
#include "stages/report/network_drawing.h"

namespace penstock::stages {

using pipeline::Value;

std::string network_section(const ReportSources& sources, const Value&) {
  const Value architecture = sources.json("model", "architecture.json");
  if (architecture.is_null()) return {};
  const Value model = sources.json("model", "model.json");
  const size_t members = model.is_null() ? 1 : model.at("members").size();
  std::vector<std::vector<std::string>> rows;
  for (const Value& layer : architecture.at("layers")) {
    const auto shape = layer.at("output").get<std::vector<int64_t>>();
    rows.push_back({"<code>" + escaped(text_of(layer.at("name"))) + "</code>", escaped(text_of(layer.at("kind"))),
                    fmt::format("{} × {} × {}", shape.at(0), shape.at(1), shape.at(2)),
                    pipeline::with_commas(layer.at("parameters").get<int64_t>()),
                    fmt::format("{:.1f} M", layer.at("flops").get<double>() / 1e6)});
  }
  const std::string layers = table({"layer", "kind", "output (channels × height × width)", "parameters", "FLOP"}, rows);
  return fmt::format(
      "<p>{} with {} parameters; {:.2f} GFLOP for one image forward (a multiply-add counted as two).</p>{}"
      "<details><summary>Layers</summary>{}</details>",
      members > 1 ? fmt::format("An ensemble of {} U-Nets, each", members) : "A U-Net",
      pipeline::with_commas(architecture.at("parameters").get<int64_t>()), architecture.at("flops").get<double>() / 1e9,
      network_drawing(architecture), layers);
}

}  // namespace penstock::stages
