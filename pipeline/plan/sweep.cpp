#include "pipeline/plan/sweep.h"

#include <cmath>
#include <set>

#include "distributed/check.h"
#include "pipeline/files.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t id_digits = 10;

// JSON has no NaN: it is written as null.
double number(const Value& json) { return json.is_number() ? json.get<double>() : std::nan(""); }

Value read_json(const fs::path& file, Value otherwise) {
  try {
    return Value::parse(read_file(file));
  } catch (const std::exception&) {
    return otherwise;  // not there yet: files are never half-written
  }
}

Scores scores_in(const Value& pairs) {
  Scores scores;
  for (const Value& pair : pairs) scores.emplace(pair.at(0).get<int64_t>(), number(pair.at(1)));
  return scores;
}

Value pairs_of(const Scores& scores) {
  Value pairs = Value::array();
  for (const auto& [unit, score] : scores) pairs.push_back(Value::array({unit, score}));
  return pairs;
}

}  // namespace

std::string sweep_id(const Graph& graph, const Plan& plan) {
  std::set<std::string> swept;
  for (const Run& run : graph.runs) {
    for (const auto& [key, value] : run.axes) swept.insert(key);
  }
  Hasher hasher;
  hasher.field("sweep");
  for (const auto& stage : graph.stages) {
    if (stage->kind->name == "report") continue;
    hasher.field(stage->stage).field(stage->kind->name);
    for (const Specification& one : stage->kind->parameters) {
      if (one.about.affects_output && !swept.count(stage->stage + "." + one.name))
        add_to(hasher.field(one.name), stage->values.at(one.name));
    }
    for (const DeclaredInput& input : stage->inputs) {
      for (const DeclaredSource& source : input.sources) {
        if (const auto outside = plan.outside.find(&source); outside != plan.outside.end())
          hasher.field(input.port).field(outside->second.digest);
      }
    }
  }
  hasher.field(graph.early_stop ? to_json(*graph.early_stop).dump() : "none");
  return hasher.finish().hex().substr(0, id_digits);
}

std::map<std::string, Scores> Sweep::scores_of_others(const std::string& run) const {
  std::map<std::string, Scores> all;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder_ / "scores", absent)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".json" || name == run) continue;
    all.emplace(name, scores_of(name));
  }
  return all;
}

Scores Sweep::scores_of(const std::string& run) const {
  return scores_in(read_json(file("scores", run), {{"scores", Value::array()}}).at("scores"));
}

void Sweep::record(const Digest& run, const std::string& label, int64_t unit, double score) const {
  PENSTOCK_CHECK(unit >= 1, "units are counted from 1");
  Scores mine = scores_of(run.hex());
  if (mine.emplace(unit, score).second)
    write_file(file("scores", run.hex()), Value{{"label", label}, {"scores", pairs_of(mine)}}.dump() + "\n");
}

bool Sweep::decide(const Digest& run, const std::string& label, int64_t unit) const {
  if (!rule_.decides_at(unit)) return true;
  const std::string name = run.hex();
  Value decisions = read_json(file("decisions", name), Value::array());
  for (const Value& made : decisions) {
    if (made.at("unit") == unit) return made.at("goes_on");
  }
  const Scores mine = scores_of(name);
  const auto others = scores_of_others(name);
  std::vector<Scores> theirs;
  Value seen = Value::object();
  for (const auto& [other, scores] : others) {
    theirs.push_back(scores);
    seen[other] = pairs_of(scores);
  }
  const bool on = may_continue(rule_, unit, mine, theirs);
  decisions.push_back({{"unit", unit}, {"score", mine.at(unit)}, {"others", seen}, {"goes_on", on}});
  write_file(file("decisions", name), decisions.dump() + "\n");
  if (!on) write_file(file("pruned", name), Value{{"label", label}, {"unit", unit}}.dump() + "\n");
  return on;
}

std::optional<int64_t> Sweep::pruned_at(const Digest& run) const {
  const Value record = read_json(file("pruned", run.hex()), nullptr);
  return record.is_null() ? std::nullopt : std::optional(record.at("unit").get<int64_t>());
}

}  // namespace penstock::pipeline
