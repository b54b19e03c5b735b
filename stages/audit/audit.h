// The audit of a data set: a table of rules over what was measured of each sample, and the findings that they make.
// Pure; the same measurements give the same findings.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/value.h"
#include "stages/audit/measurements.h"
#include "stages/audit/relations.h"

namespace penstock::stages {

enum class Severity { severe, warning, note };
std::string_view name_of(Severity severity);

struct AuditFinding {
  std::vector<size_t> samples;  // places in the audited rows, ascending
  double number = 0;            // what the rule compares with its limit
  std::string text;             // what was found, and what to do
};

// The rows of a set, by id, and what relates them.
struct AuditedSet {
  std::vector<Measurements> rows;
  std::vector<size_t> group;  // for each row the first of its group: copies, near copies, tiles of one picture
  std::vector<std::vector<size_t>> copies;
  std::vector<Likeness> near_copies, tiles;
};
AuditedSet audited(std::vector<Measurements> rows);

struct AuditRule {
  std::string name, help;
  Severity severity = Severity::warning;
  double limit = 0;  // of the number, as `help` says
  std::function<std::vector<AuditFinding>(const AuditedSet& set, double limit)> find;
};

// findings.json: {"schema", "rules": [{"rule", "severity", "help", "limit", "findings": count}], "findings": [{"rule",
// "severity", "number", "text", "samples": [id..], "files": [entry..]}]}, severe ones first, then by rule in the
// table's order, then by id.
pipeline::Value findings_json(const AuditedSet& set);
std::string findings_csv(const pipeline::Value& findings);

// Adds to a verdict (data_summary.h): each severe finding as a problem, unless `allow` names its rule, and one warning
// for each rule that found something worth one.
void judge(pipeline::Value& verdict, const pipeline::Value& findings, const std::vector<std::string>& allow);

}  // namespace penstock::stages
