// [matrix.early_stop]: method, stage, metric, goal, min, eta, start_up; or early_stop = "asha" with all defaults.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipeline/draft.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

const std::vector<std::string> methods = {"asha", "median", "none"};

class Reader {
 public:
  Reader(const Draft& draft, const Member& member, Diagnostics& diagnostics) : draft_(draft), member_(member), diagnostics_(diagnostics) {}

  std::optional<EarlyStop> read() {
    if (member_.tree.is_table) {
      static const std::vector<std::string> keys = {"method", "stage", "metric", "goal", "min", "eta", "start_up"};
      for (const Member& one : member_.tree.members) {
        if (std::find(keys.begin(), keys.end(), one.key) != keys.end()) continue;
        diagnostics_.error("E102", one.position, fmt::format("[matrix.early_stop] has no key '{}'{}", one.key, did_you_mean(one.key, keys)), one.key.size());
      }
    }
    const std::string method = word(member_.tree.is_table ? member_.tree.find("method") : &member_, "asha", methods);
    if (method == "none") return std::nullopt;
    EarlyStop rule;
    rule.method = method == "median" ? EarlyStop::Method::median : EarlyStop::Method::asha;
    rule.min = integer("min", rule.min, 1);
    rule.eta = integer("eta", rule.eta, 2);
    rule.start_up = integer("start_up", rule.start_up, 1);
    if (!read_stage(rule)) return std::nullopt;
    return rule;
  }

 private:
  const Member* find(const std::string& key) const { return member_.tree.is_table ? member_.tree.find(key) : nullptr; }

  std::string word(const Member* given, const std::string& otherwise, const std::vector<std::string>& choices) {
    if (given == nullptr) return otherwise;
    const Value& value = given->tree.value;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_string() && std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
    diagnostics_.error("E406", given->tree.position, fmt::format("'{}' must be one of {}, is {}{}", given->key, fmt::join(choices, ", "), value.dump(), did_you_mean(text, choices)),
                       value.dump().size());
    return otherwise;
  }

  int64_t integer(const std::string& key, int64_t otherwise, int64_t least) {
    const Member* given = find(key);
    if (given == nullptr) return otherwise;
    const Value& value = given->tree.value;
    if (value.is_number_integer() && value.get<int64_t>() >= least) return value.get<int64_t>();
    diagnostics_.error("E406", given->tree.position, fmt::format("'{}' must be an integer of at least {}, is {}", key, least, value.dump()), value.dump().size());
    return otherwise;
  }

  // The stage, its metric and which way is better.
  bool read_stage(EarlyStop& rule) {
    std::vector<std::string> reporting;
    for (const DraftStage& stage : draft_.stages) {
      if (!stage.kind().scores.empty()) reporting.push_back(stage.name());
    }
    if (reporting.empty() || (reporting.size() > 1 && find("stage") == nullptr)) {
      diagnostics_.error("E406", member_.position, reporting.empty() ? "no stage reports scores while it runs, so nothing can be stopped early"
                                                                      : fmt::format("name the `stage` that is to be watched: {}", fmt::join(reporting, " or ")), member_.key.size());
      return false;
    }
    rule.stage = word(find("stage"), reporting.front(), reporting);
    const auto& scores = draft_.find(rule.stage)->kind().scores;
    std::vector<std::string> metrics;
    for (const Score& score : scores) metrics.push_back(score.name);
    rule.metric = word(find("metric"), metrics.front(), metrics);
    const auto score = std::find_if(scores.begin(), scores.end(), [&](const Score& one) { return one.name == rule.metric; });
    rule.larger_is_better = word(find("goal"), score->larger_is_better ? "max" : "min", {"min", "max"}) == "max";
    return true;
  }

  const Draft& draft_;
  const Member& member_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::optional<EarlyStop> read_early_stop(const Draft& draft, Diagnostics& diagnostics) {
  const Member* member = draft.matrix ? draft.matrix->find("early_stop") : nullptr;
  return member == nullptr ? std::nullopt : Reader(draft, *member, diagnostics).read();
}

}  // namespace penstock::pipeline
