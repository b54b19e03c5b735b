// runs and diff: a sweep as a table, and two of its runs side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <set>

#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/commands/sweep_view.h"

namespace penstock::launch {
namespace {

using pipeline::Value;
using stages::SweepRow;
using stages::SweepRun;

// Characters, not bytes: "±" is one.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void print_table(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i)
      text += line[i] + std::string(i + 1 < line.size() ? widths[i] - width_of(line[i]) + 2 : 0, ' ');
    std::cout << text << '\n';
  }
}

std::string text_of(const Value& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

Value json_of(const std::vector<SweepRow>& rows) {
  Value all = Value::array();
  for (const SweepRow& row : rows) {
    Value axes = Value::object(), metrics = Value::object();
    for (const auto& [name, value] : row.axes) axes[name] = value;
    for (const auto& [name, spread] : row.metrics)
      metrics[name] = {{"mean", spread.mean}, {"sd", spread.deviation}, {"n", spread.count}};
    all.push_back({{"runs", row.runs}, {"axes", axes}, {"metrics", metrics}, {"states", row.states}});
  }
  return {{"rows", all}};
}

int runs_command(const ConfigOptions& options, const std::string& sort, bool each, const OutputFlags& output,
                 const pipeline::StageTable& kinds) {
  const SweepView view = view_sweep(options, kinds);
  std::vector<SweepRow> rows = stages::rows_over_seeds(view.runs, each ? "" : view.seed_axis);
  std::vector<stages::ShownMetric> columns;
  for (const stages::ShownMetric& one : stages::shown_metrics()) {
    if (std::any_of(rows.begin(), rows.end(), [&](const SweepRow& row) { return row.metrics.count(one.path) != 0; }))
      columns.push_back(one);
  }
  if (!sort.empty()) {
    const std::string metric = stages::find_metric(view.runs, sort);
    if (std::none_of(rows.begin(), rows.end(), [](const SweepRow& row) { return !row.metrics.empty(); }))
      std::cerr << fmt::format("--sort {}: nothing is sorted, as no run has metrics yet\n", sort);
    stages::sort_by(rows, metric);
    const bool shown =
        std::any_of(columns.begin(), columns.end(), [&](const stages::ShownMetric& one) { return one.path == metric; });
    if (!shown) columns.insert(columns.begin(), {metric, metric});
  }
  if (output.json) {
    std::cout << json_of(rows).dump() << '\n';
    return 0;
  }
  std::vector<std::string> axes;
  for (const SweepRow& row : rows) {
    for (const auto& [name, value] : row.axes) {
      if (std::find(axes.begin(), axes.end(), name) == axes.end()) axes.push_back(name);
    }
  }
  std::vector<std::vector<std::string>> lines(1);
  lines[0].emplace_back("run");
  lines[0].insert(lines[0].end(), axes.begin(), axes.end());
  lines[0].emplace_back("n");
  for (const stages::ShownMetric& column : columns) lines[0].push_back(column.title);
  lines[0].emplace_back("state");
  for (const SweepRow& row : rows) {
    auto& line = lines.emplace_back();
    line.push_back(row.runs.front() + (row.runs.size() > 1 ? fmt::format(" +{}", row.runs.size() - 1) : ""));
    for (const std::string& axis : axes) {
      const auto found =
          std::find_if(row.axes.begin(), row.axes.end(), [&](const auto& one) { return one.first == axis; });
      line.push_back(found == row.axes.end() ? "" : text_of(found->second));
    }
    line.push_back(std::to_string(row.runs.size()));
    for (const stages::ShownMetric& column : columns) {
      const auto found = row.metrics.find(column.path);
      line.push_back(found == row.metrics.end() ? "-" : to_text(found->second));
    }
    line.push_back(states_text(row));
  }
  print_table(lines);
  return 0;
}

int diff_command(const ConfigOptions& options, const std::string& a, const std::string& b, const OutputFlags& output,
                 const pipeline::StageTable& kinds) {
  const SweepView view = view_sweep(options, kinds);
  const auto find = [&](const std::string& id) -> size_t {
    std::vector<size_t> found;
    for (size_t i = 0; i < view.runs.size(); ++i) {
      if (view.runs[i].id.starts_with(id)) found.push_back(i);
    }
    if (found.size() == 1) return found.front();
    throw Error(ExitCode::usage,
                fmt::format("diff: '{}' is {} (see `penstock runs {}`)", id,
                            found.empty() ? "no run" : "the beginning of several runs", options.file.string()));
  };
  const size_t first = find(a), second = find(b);
  const auto& before = view.parameters[first];
  const auto& after = view.parameters[second];
  Value parameters = Value::object(), metrics = Value::object();
  std::vector<std::vector<std::string>> lines = {{"", view.runs[first].id, view.runs[second].id}};
  for (const auto& [name, value] : before) {
    if (after.at(name) == value) continue;
    parameters[name] = {value, after.at(name)};
    lines.push_back({name, text_of(value), text_of(after.at(name))});
  }
  std::set<std::string> names;
  for (const size_t run : {first, second}) {
    for (const auto& [name, value] : view.runs[run].metrics) names.insert(name);
  }
  for (const std::string& name : names) {
    const auto value = [&](size_t run) -> Value {
      const auto found = view.runs[run].metrics.find(name);
      return found == view.runs[run].metrics.end() ? Value(nullptr) : Value(found->second);
    };
    if (value(first) == value(second)) continue;
    metrics[name] = {value(first), value(second)};
    const auto shown = [](const Value& number) {
      return number.is_null() ? std::string("-") : fmt::format("{:.4f}", number.get<double>());
    };
    lines.push_back({name, shown(value(first)), shown(value(second))});
  }
  if (output.json) {
    std::cout << Value{{"a", view.runs[first].id},
                       {"b", view.runs[second].id},
                       {"parameters", parameters},
                       {"metrics", metrics}}
                     .dump()
              << '\n';
  } else {
    print_table(lines);
  }
  return 0;
}

struct RunsFlags {
  ConfigOptions config;
  std::string sort;
  bool each = false;
};

struct DiffFlags {
  ConfigOptions config;
  std::string first, second;
};

}  // namespace

void add_runs(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("runs", "a sweep's table: parameters, metrics (mean and deviation over seeds), state");
  const auto flags = std::make_shared<RunsFlags>();
  add_config_flags(*command, flags->config);
  add_run_filter(*command, flags->config);
  command->add_option("--sort", flags->sort, "by this metric, largest first: validation.dice, test.map")
      ->type_name("METRIC");
  command->add_flag("--each", flags->each, "every run apart, without averaging over seeds");
  command->callback([flags, &context] {
    context.code = runs_command(flags->config, flags->sort, flags->each, context.output, context.kinds);
  });
}

void add_diff(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("diff", "what differs between two runs of a sweep: parameters and metrics");
  const auto flags = std::make_shared<DiffFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("A", flags->first, "the beginning of a run's id")->required();
  command->add_option("B", flags->second, "the beginning of another's")->required();
  command->callback([flags, &context] {
    context.code = diff_command(flags->config, flags->first, flags->second, context.output, context.kinds);
  });
}

}  // namespace penstock::launch
