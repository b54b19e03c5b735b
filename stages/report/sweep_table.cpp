#include "stages/report/sweep_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "distributed/error.h"
#include "pipeline/suggestion.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

void flatten(const Value& value, const std::string& path, std::map<std::string, double>& flat) {
  if (value.is_object()) {
    for (const auto& [key, part] : value.items()) flatten(part, path.empty() ? key : path + "." + key, flat);
  } else if (value.is_number() && path != "schema") {
    flat.emplace(path, value.get<double>());
  }
}

std::vector<std::string> words_of(const std::string& path) {
  std::vector<std::string> words;
  std::istringstream in(path);
  for (std::string word; std::getline(in, word, '.');) words.push_back(word);
  return words;
}

// "test.dice" means "test.grid.micro.dice": the words in order, the last one last.
bool means(const std::vector<std::string>& name, const std::vector<std::string>& path) {
  if (name.empty() || name.size() > path.size() || name.back() != path.back()) return false;
  size_t at = 0;
  for (const std::string& word : path) at += at < name.size() && name[at] == word;
  return at == name.size();
}

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  spread.count = values.size();
  for (const double value : values) spread.mean += value / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return spread;
}

}  // namespace

std::map<std::string, double> flat_metrics(const Value& metrics) {
  std::map<std::string, double> flat;
  flatten(metrics, "", flat);
  return flat;
}

std::string find_metric(const std::vector<SweepRun>& runs, const std::string& name) {
  std::set<std::string> known;
  for (const SweepRun& run : runs) {
    for (const auto& [path, value] : run.metrics) known.insert(path);
  }
  const auto words = words_of(name);
  std::vector<std::string> found;
  for (const std::string& path : known) {
    if (means(words, words_of(path))) found.push_back(path);
  }
  const auto order = [](const std::string& path) {
    const bool shown = std::any_of(shown_metrics().begin(), shown_metrics().end(),
                                   [&](const ShownMetric& one) { return one.path == path; });
    return std::pair(words_of(path).size(), !shown);
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const std::string& a, const std::string& b) { return order(a) < order(b); });
  if (!found.empty()) return found.front();
  if (known.empty()) return name;  // nothing is evaluated yet: nothing to hold the name against
  std::vector<std::string> usual;  // of hundreds, where none is near
  for (const ShownMetric& one : shown_metrics()) {
    if (known.count(one.path)) usual.push_back(one.path);
  }
  const std::string near = pipeline::did_you_mean(name, {known.begin(), known.end()});
  throw Error(ExitCode::usage, fmt::format("there is no metric '{}'{}", name,
                                           near.empty() ? pipeline::instead_of(name, usual, "for example") : near));
}

std::vector<SweepRow> rows_over_seeds(const std::vector<SweepRun>& runs, const std::string& seed_axis) {
  std::vector<SweepRow> rows;
  std::vector<std::map<std::string, std::vector<double>>> values;
  std::map<std::string, size_t> known;
  for (const SweepRun& run : runs) {
    auto axes = run.axes;
    std::erase_if(axes, [&](const auto& axis) { return axis.first == seed_axis; });
    std::string key = seed_axis.empty() ? run.id : "";
    for (const auto& [name, value] : axes) key += name + "=" + value.dump() + "|";
    const auto [found, fresh] = known.try_emplace(key, rows.size());
    if (fresh) {
      rows.push_back({axes, {}, {}, {}});
      values.emplace_back();
    }
    SweepRow& row = rows[found->second];
    row.runs.push_back(run.id);
    ++row.states[run.state];
    for (const auto& [name, value] : run.metrics) values[found->second][name].push_back(value);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const auto& [name, all] : values[i]) rows[i].metrics.emplace(name, spread_of(all));
  }
  return rows;
}

void sort_by(std::vector<SweepRow>& rows, const std::string& metric) {
  const auto value = [&](const SweepRow& row) {
    const auto found = row.metrics.find(metric);
    return found == row.metrics.end() ? -std::numeric_limits<double>::infinity() : found->second.mean;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const SweepRow& a, const SweepRow& b) { return value(a) > value(b); });
}

std::string to_text(const Spread& spread) {
  if (spread.count == 0) return "-";
  return spread.count == 1 ? fmt::format("{:.4f}", spread.mean)
                           : fmt::format("{:.4f} ± {:.4f}", spread.mean, spread.deviation);
}

std::string states_text(const SweepRow& row) {
  if (row.states.size() == 1) return row.states.begin()->first;
  std::string text;
  for (const auto& [state, count] : row.states) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  return text;
}

const std::vector<ShownMetric>& shown_metrics() {
  static const std::vector<ShownMetric> shown = {{"validation.grid.micro.dice", "validation Dice"},
                                                 {"test.grid.micro.dice", "test Dice"},
                                                 {"test.native.micro.dice", "test Dice, native"},
                                                 {"test.native.map", "test mAP"}};
  return shown;
}

}  // namespace penstock::stages
