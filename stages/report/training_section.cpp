#include "stages/report/training_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "pipeline/counted.h"
#include "stages/report/html.h"
#include "stages/report/report_charts.h"
#include "stages/training/training_rules.h"

namespace penstock::stages {
namespace {

using pipeline::counted;
using pipeline::Value;

std::vector<std::pair<double, double>> curve(const Value& epochs, const char* subset, const char* name) {
  std::vector<std::pair<double, double>> points;
  for (const Value& epoch : epochs) {
    // A loss that was NaN or infinite is null in the file.
    if (!epoch.at(subset).is_null() && epoch.at(subset).at(name).is_number())
      points.emplace_back(epoch.at("epoch"), epoch.at(subset).at(name));
  }
  return points;
}

std::string charts_of(const Value& curves) {
  static constexpr std::pair<const char*, const char*> shown[] = {{"loss", "Loss"},
                                                                  {"f1", "F1 (Dice)"},
                                                                  {"precision", "Precision"},
                                                                  {"recall", "Recall"},
                                                                  {"accuracy", "Accuracy"}};
  const int64_t best = curves.at("best_epoch"), last = curves.at("last_epoch");
  std::vector<Mark> marks;
  if (best > 0) marks.push_back({static_cast<double>(best), fmt::format("best: epoch {}", best)});
  if (curves.at("stopped_early").get<bool>() && last != best) marks.push_back({static_cast<double>(last), "stopped"});
  const Value& epochs = curves.at("epochs");
  std::string charts;
  for (const auto& [name, title] : shown) {
    const Series train = {"train", blue, curve(epochs, "train", name)};
    const Series validation = {"validation", orange, curve(epochs, "validation", name)};
    charts += line_chart(title, "epoch", {train, validation}, marks);
  }
  return charts;
}

std::string best_epoch_item(const Value& curves) {
  const std::string averaged =
      curves.contains("ema")
          ? fmt::format(
                ", averaged over the steps of training with a decay of {}; validation measured the averaged ones",
                text_of(curves.at("ema")))
          : "";
  const std::string published =
      fmt::format("Published weights: those of the {} epoch{}.", text_of(curves.at("published")), averaged);
  if (curves.at("best_epoch") == 0) {
    return fmt::format(
        "<li>No epoch was the best: {} has no figure in any of {} epochs{}. {}</li>", text_of(curves.at("monitor")),
        curves.at("last_epoch").get<int64_t>(),
        curves.at("epochs").back().at("validation").is_null() ? ", for there is no validation subset" : "", published);
  }
  return fmt::format("<li>Best epoch: {} of {} ({} = {}). {}</li>", curves.at("best_epoch").get<int64_t>(),
                     curves.at("last_epoch").get<int64_t>(), text_of(curves.at("monitor")),
                     figure(curves.at("best_value")), published);
}

std::string early_stopping_item(const Value& curves) {
  const int64_t last = curves.at("last_epoch");
  const int patience = curves.at("patience");
  if (curves.at("stopped_early").get<bool>()) {
    return fmt::format("<li>Stopped early after epoch {} of {}: {} did not improve by {} for {} epochs.</li>", last,
                       curves.at("planned_epochs").get<int>(), text_of(curves.at("stop_monitor")),
                       text_of(curves.at("min_delta")), patience);
  }
  if (patience > 0 && is_of_validation(curves.at("stop_monitor")) &&
      curves.at("epochs").back().at("validation").is_null()) {
    return fmt::format("<li>Early stopping was off: {} needs a validation subset. All {} epochs ran.</li>",
                       text_of(curves.at("stop_monitor")), last);
  }
  if (patience > 0)
    return fmt::format("<li>Early stopping (patience {}) did not stop it: all {} epochs ran.</li>", patience, last);
  return fmt::format("<li>Early stopping was off: all {} epochs ran.</li>", last);
}

// How validation fared at the best and at the last epoch; empty without validation.
std::string validation_item(const Value& curves) {
  const Value& epochs = curves.at("epochs");
  const auto best = std::max<int64_t>(curves.at("best_epoch").get<int64_t>(), 1);
  const Value& best_row = epochs.at(static_cast<size_t>(best - 1));
  const Value& last_row = epochs.back();
  if (best_row.at("validation").is_null()) return {};
  const auto gap = [](const Value& row) { return figure_of("val_loss", row) - figure_of("loss", row); };
  const auto shown = [](double number) { return std::isfinite(number) ? fmt::format("{:+.4f}", number) : "–"; };
  return fmt::format(
      "<li>Validation F1: {} at the best epoch, {} at the last. Validation loss minus train loss: {} at the best "
      "epoch, {} at the last{}.</li>",
      figure(best_row.at("validation").at("f1")), figure(last_row.at("validation").at("f1")), shown(gap(best_row)),
      shown(gap(last_row)), gap(last_row) > 2 * std::abs(gap(best_row)) + 0.02 ? ": it had begun to overfit" : "");
}

// Where samples were read while the network trained.
std::string cache_item(const Value& telemetry) {
  if (telemetry.is_null() || !telemetry.contains("cache")) return {};
  const Value& cache = telemetry.at("cache");
  const double asked = cache.at("found").get<double>() + cache.at("waited").get<double>();
  return fmt::format(
      "<li>Samples were read from the shards while the network trained, and at most {:.1f} MB of them kept: a step "
      "waited "
      "{:.2f} ms for them; {:.1f} % were there when they were needed.</li>",
      cache.at("most_bytes").get<double>() / 1e6, 1e3 * telemetry.at("data_wait_seconds").get<double>(),
      asked > 0 ? 100 * cache.at("found").get<double>() / asked : 100.0);
}

std::string rate_item(const Value& telemetry) {
  if (telemetry.is_null()) return {};
  const Value& checkpoints = telemetry.at("checkpoints");
  return fmt::format("<li>{} with {} each, {:.1f} images/s{}; {}, for which training waited {}; resumed {}.</li>",
                     counted(telemetry.at("ranks"), "rank"), counted(telemetry.at("threads"), "thread"),
                     telemetry.at("images_per_second").get<double>(),
                     telemetry.contains("precision") ? " in " + text_of(telemetry.at("precision")) : "",
                     counted(checkpoints.at("count"), "checkpoint"), duration(checkpoints.at("blocked_seconds")),
                     counted(static_cast<int64_t>(telemetry.at("resumed_at_steps").size()), "time"));
}

}  // namespace

std::string training_section(const ReportSources& sources, const Value&) {
  const Value curves = sources.json("curves", "curves.json");
  if (curves.is_null() || curves.at("epochs").empty()) return {};
  const Value telemetry = sources.json("telemetry", "telemetry.json");
  const std::string items = best_epoch_item(curves) + early_stopping_item(curves) + validation_item(curves) +
                            rate_item(telemetry) + cache_item(telemetry);
  return fmt::format(
      "<div class=\"charts\">{}</div><div class=\"box\"><h3>Best epoch and early stopping</h3><ul>{}</ul>"
      "<p>Train figures are {}.</p></div>",
      charts_of(curves), items, escaped(text_of(curves.at("train_figures"))));
}

}  // namespace penstock::stages
