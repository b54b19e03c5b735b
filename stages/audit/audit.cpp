#include "stages/audit/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "pipeline/counted.h"
#include "stages/audit/rules.h"
#include "stages/packs/csv.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

Value json_of(const AuditFinding& finding, const AuditRule& rule, const AuditedSet& set) {
  Value samples = Value::array(), files = Value::array();
  for (const size_t place : finding.samples) {
    samples.push_back(set.rows[place].id);
    files.push_back(set.rows[place].entry);
  }
  return {{"rule", rule.name},        {"severity", name_of(rule.severity)},
          {"number", finding.number}, {"text", finding.text},
          {"samples", samples},       {"files", files}};
}

}  // namespace

std::string_view name_of(Severity severity) {
  static constexpr std::string_view names[] = {"severe", "warning", "note"};
  return names[static_cast<size_t>(severity)];
}

AuditedSet audited(std::vector<Measurements> rows) {
  AuditedSet set;
  set.rows = std::move(rows);
  Prints prints;
  for (const Measurements& row : set.rows) prints.push_back(&row.print);
  set.copies = copies_in(prints);
  set.near_copies = near_copies_in(prints);
  set.tiles = touching_in(prints);
  std::vector<std::pair<size_t, size_t>> links;
  for (const auto& members : set.copies) {
    for (const size_t member : members) links.emplace_back(members.front(), member);
  }
  for (const auto* pairs : {&set.near_copies, &set.tiles}) {
    for (const Likeness& pair : *pairs) links.emplace_back(pair.first, pair.second);
  }
  set.group = grouped(set.rows.size(), links);
  return set;
}

Value findings_json(const AuditedSet& set) {
  Value findings = Value::array(), rules = Value::array();
  for (const Severity severity : {Severity::severe, Severity::warning, Severity::note}) {
    for (const AuditRule& rule : audit_rules()) {
      if (rule.severity != severity) continue;
      auto found = rule.find(set, rule.limit);
      std::stable_sort(found.begin(), found.end(),
                       [](const AuditFinding& a, const AuditFinding& b) { return a.samples < b.samples; });
      for (const AuditFinding& finding : found) findings.push_back(json_of(finding, rule, set));
      rules.push_back({{"rule", rule.name},
                       {"severity", name_of(severity)},
                       {"help", rule.help},
                       {"limit", rule.limit},
                       {"findings", found.size()}});
    }
  }
  return {{"schema", 1}, {"rules", rules}, {"findings", findings}};
}

std::string findings_csv(const Value& findings) {
  CsvTable csv({"severity", "rule", "number", "sample", "file", "text"});
  for (const Value& finding : findings.at("findings")) {
    for (size_t i = 0; i < finding.at("samples").size(); ++i) {
      csv.add({finding.at("severity"), finding.at("rule"), finding.at("number").dump(), finding.at("samples")[i],
               finding.at("files")[i], finding.at("text")});
    }
  }
  return csv.text();
}

void judge(Value& verdict, const Value& findings, const std::vector<std::string>& allow) {
  std::string last;
  for (const Value& finding : findings.at("findings")) {
    const std::string rule = finding.at("rule"), severity = finding.at("severity"), text = finding.at("text");
    const Value& sample = finding.at("samples").at(0);
    const bool allowed = std::find(allow.begin(), allow.end(), rule) != allow.end();
    if (severity == name_of(Severity::severe) && !allowed) {
      verdict["problems"].push_back(
          {{"sample", sample}, {"problem", fmt::format("{} (or let it pass: allow = [\"{}\"])", text, rule)}});
      verdict["passed"] = false;
    } else if (severity != name_of(Severity::note) && rule != last) {
      int64_t count = 0;
      for (const Value& other : findings.at("findings")) count += other.at("rule") == rule;
      verdict["warnings"].push_back(
          {{"sample", sample},
           {"warning", count == 1 ? text : fmt::format("{} ({} such: findings.csv)", text, count)}});
    }
    last = rule;
  }
}

}  // namespace penstock::stages
