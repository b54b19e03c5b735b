#include "pipeline/config/run_filter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "pipeline/counted.h"
#include "pipeline/suggestion.h"
#include "pipeline/syntax/document.h"

namespace penstock::pipeline {
namespace {

constexpr const char* id_key = "run";
constexpr const char* how_to_write =
    "write KEY OP VALUE with a TOML value, as in 'train.lr<=3e-4', 'train.loss=\"bce\"' or 'run=1f0a'";

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool parse_integer(std::string_view text, int& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size();
}

}  // namespace

RunFilter::Condition RunFilter::parse_condition(const std::string& text) {
  static const std::vector<std::pair<std::string, Comparison>> signs = {
      {"<=", Comparison::at_most}, {">=", Comparison::at_least}, {"!=", Comparison::unequal}, {"==", Comparison::equal},
      {"=", Comparison::equal},    {"<", Comparison::less},      {">", Comparison::more}};
  const size_t at = text.find_first_of("<>=!");
  for (const auto& [sign, comparison] : signs) {
    if (at == std::string::npos || text.compare(at, sign.size(), sign) != 0) continue;
    Condition condition{trimmed(text.substr(0, at)), comparison, nullptr};
    const std::string written = trimmed(text.substr(at + sign.size()));
    const auto value = condition.key == id_key ? std::optional<Value>(written) : parse_value(written);
    if (condition.key.empty() || !value) break;
    condition.value = *value;
    return condition;
  }
  throw Error(ExitCode::usage, fmt::format("--select: '{}' is not a condition; {}", text, how_to_write));
}

RunFilter RunFilter::parse(const std::string& select, const std::string& part) {
  RunFilter filter;
  filter.select_ = select;
  std::istringstream conditions(select);
  for (std::string text; std::getline(conditions, text, ',');) {
    if (!trimmed(text).empty()) filter.conditions_.push_back(parse_condition(trimmed(text)));
  }
  if (!select.empty() && filter.conditions_.empty())
    throw Error(ExitCode::usage, fmt::format("--select: '{}' holds no condition; {}", select, how_to_write));
  if (part.empty()) return filter;
  const size_t slash = part.find('/');
  const bool numbers = slash != std::string::npos &&
                       parse_integer(std::string_view(part).substr(0, slash), filter.part_) &&
                       parse_integer(std::string_view(part).substr(slash + 1), filter.parts_);
  if (!numbers || filter.part_ < 1 || filter.part_ > filter.parts_) {
    throw Error(ExitCode::usage,
                fmt::format("--part: '{}' is not a part; write i/n with 1 <= i <= n, as in --part 2/4", part));
  }
  return filter;
}

bool RunFilter::Condition::holds(const Value& actual) const {
  if (key == id_key)
    return actual.get<std::string>().starts_with(value.get<std::string>()) == (comparison == Comparison::equal);
  switch (comparison) {
    case Comparison::equal:
      return actual == value;
    case Comparison::unequal:
      return actual != value;
    case Comparison::less:
      return actual < value;
    case Comparison::at_most:
      return actual <= value;
    case Comparison::more:
      return actual > value;
    case Comparison::at_least:
      return actual >= value;
  }
  return false;
}

std::vector<bool> RunFilter::apply(const Graph& graph) const {
  std::vector<bool> taken(graph.runs.size(), true);
  for (const Condition& condition : conditions_) {
    const size_t dot = condition.key.find('.');
    const std::string parameter = dot == std::string::npos ? "" : condition.key.substr(dot + 1);
    if (condition.key != id_key) {
      require_stage(graph, condition.key.substr(0, dot));
      const Node& any = graph.nodes[graph.node_of(graph.runs.front(), condition.key.substr(0, dot))];
      std::vector<std::string> names;
      for (const auto& [name, value] : any.declaration->values) names.push_back(name);
      if (std::find(names.begin(), names.end(), parameter) == names.end()) {
        throw Error(ExitCode::usage, fmt::format("--select: stage '{}' has no parameter '{}'{}", any.stage(), parameter,
                                                 did_you_mean(parameter, names)));
      }
    }
    for (size_t run = 0; run < taken.size(); ++run) {
      if (!condition.holds(value_in(graph, run, condition.key))) taken[run] = false;
    }
  }
  if (std::find(taken.begin(), taken.end(), true) == taken.end()) refuse_conditions(graph);
  if (parts_ > 1) take_part(graph, taken);
  return taken;
}

Value RunFilter::value_in(const Graph& graph, size_t run, const std::string& key) {
  if (key == id_key) return graph.runs[run].id;
  const size_t dot = key.find('.');
  return graph.nodes[graph.node_of(graph.runs[run], key.substr(0, dot))].value(key.substr(dot + 1));
}

// Names the values that each key of the conditions has.
void RunFilter::refuse_conditions(const Graph& graph) const {
  constexpr size_t shown = 10;
  std::string known;
  std::set<std::string> keys;
  for (const Condition& condition : conditions_) {
    if (!keys.insert(condition.key).second) continue;
    std::vector<std::string> values;
    std::set<std::string> seen;
    for (size_t run = 0; run < graph.runs.size(); ++run) {
      const Value value = value_in(graph, run, condition.key);
      const std::string text = condition.key == id_key ? value.get<std::string>() : value.dump();
      if (seen.insert(text).second) values.push_back(text);
    }
    const size_t more = values.size() - std::min(values.size(), shown);
    values.resize(values.size() - more);
    known += fmt::format("; {} is {}", condition.key, fmt::join(values, ", "));
    if (more > 0) known += fmt::format(" or one of {} more", more);
  }
  throw Error(ExitCode::usage, fmt::format("--select: none of {} meets '{}'{}",
                                           counted(static_cast<int64_t>(graph.runs.size()), "run"), select_, known));
}

void RunFilter::take_part(const Graph& graph, std::vector<bool>& taken) const {
  const auto before = std::count(taken.begin(), taken.end(), true);
  for (size_t run = 0; run < taken.size(); ++run) {
    const std::string& id = graph.runs[run].id;
    const uint64_t number = id.empty() ? 0 : std::stoull(id, nullptr, 16);
    if (number % static_cast<uint64_t>(parts_) != static_cast<uint64_t>(part_ - 1)) taken[run] = false;
  }
  const bool empty = std::find(taken.begin(), taken.end(), true) == taken.end();
  if (!empty || before >= parts_) return;
  throw Error(ExitCode::usage, fmt::format("--part {}/{}: no run lies in this part; there {} {}: divide into at "
                                           "most as many parts",
                                           part_, parts_, before == 1 ? "is" : "are", counted(before, "run")));
}

}  // namespace penstock::pipeline
