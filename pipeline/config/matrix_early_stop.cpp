#include "pipeline/config/matrix_early_stop.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipeline/suggestion.h"
#include "pipeline/syntax/table_reader.h"

namespace penstock::pipeline {
namespace {

class EarlyStopReader {
 public:
  EarlyStopReader(const Draft& draft, const Member& member, Diagnostics& diagnostics)
      : draft_(draft),
        member_(member),
        diagnostics_(diagnostics),
        table_(member.tree, early_stop_keys(), diagnostics, "matrix.early_stop") {}

  std::optional<EarlyStop> read() {
    if (!member_.tree.is_table)
      return of_method(TableReader(shorthand(), early_stop_keys(), diagnostics_).text("method"));
    table_.refuse_unknown_keys();
    return of_method(table_.text("method"));
  }

 private:
  // early_stop = "asha" is [matrix.early_stop] method = "asha".
  const Tree& shorthand() {
    written_.is_table = true;
    written_.members = {{"method", member_.position, member_.tree}};
    return written_;
  }

  std::optional<EarlyStop> of_method(const std::optional<std::string>& method) {
    if (method == "none") return std::nullopt;
    EarlyStop rule;
    rule.method = method == "median" ? EarlyStop::Method::median : EarlyStop::Method::asha;
    rule.min = table_.integer("min").value_or(rule.min);
    rule.eta = table_.integer("eta").value_or(rule.eta);
    rule.start_up = table_.integer("start_up").value_or(rule.start_up);
    return read_stage(rule) ? std::optional(rule) : std::nullopt;
  }

  // The stage, its metric and which way is better.
  bool read_stage(EarlyStop& rule) {
    std::vector<std::string> reporting;
    for (const DraftStage& stage : draft_.stages) {
      if (!stage.kind().scores.empty()) reporting.push_back(stage.name());
    }
    const auto named = table_.text("stage");
    if (reporting.empty() || (reporting.size() > 1 && !named)) {
      diagnostics_.error("E406", member_.position,
                         reporting.empty()
                             ? "no stage reports scores while it runs, so nothing can be stopped early"
                             : fmt::format("name the `stage` that is to be watched: {}", fmt::join(reporting, " or ")));
      return false;
    }
    rule.stage = named.value_or(reporting.front());
    if (!is_one_of("stage", rule.stage, reporting, "reports scores while it runs")) return false;
    const auto& scores = draft_.find(rule.stage)->kind().scores;
    std::vector<std::string> metrics;
    for (const Score& score : scores) metrics.push_back(score.name);
    rule.metric = table_.text("metric").value_or(metrics.front());
    if (!is_one_of("metric", rule.metric, metrics, fmt::format("is reported by stage '{}'", rule.stage))) return false;
    const auto score =
        std::find_if(scores.begin(), scores.end(), [&](const Score& one) { return one.name == rule.metric; });
    rule.larger_is_better = table_.text("goal").value_or(score->larger_is_better ? "max" : "min") == "max";
    return true;
  }

  bool is_one_of(const char* key, const std::string& word, const std::vector<std::string>& words,
                 const std::string& what) {
    if (std::find(words.begin(), words.end(), word) != words.end()) return true;
    const Member* given = table_.given(key);
    diagnostics_.error("E406", given->tree.position,
                       fmt::format("no {} '{}' {}{}", key, word, what, instead_of(word, words, "there is")));
    return false;
  }

  const Draft& draft_;
  const Member& member_;
  Diagnostics& diagnostics_;
  const TableReader table_;
  Tree written_;
};

}  // namespace

std::optional<EarlyStop> read_early_stop(const Draft& draft, Diagnostics& diagnostics) {
  const Member* member = draft.matrix ? draft.matrix->find("early_stop") : nullptr;
  return member == nullptr ? std::nullopt : EarlyStopReader(draft, *member, diagnostics).read();
}

}  // namespace penstock::pipeline
