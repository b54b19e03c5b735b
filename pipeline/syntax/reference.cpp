#include "pipeline/syntax/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pipeline/syntax/error_index.h"
#include "pipeline/syntax/grammar.h"

namespace penstock::pipeline {
namespace {

// "1 to 1024"; nothing where any number will do.
std::string numbers_of(const About& about) {
  if (about.minimum && about.maximum) return fmt::format("{} to {}", *about.minimum, *about.maximum);
  if (about.minimum) return fmt::format("at least {}", *about.minimum);
  if (about.maximum) return fmt::format("at most {}", *about.maximum);
  return "";
}

// Numbers, or the words between which a choice is.
std::string range_of(const About& about, const std::string& words) {
  const std::string numbers = numbers_of(about);
  return numbers.empty() || words.empty() ? numbers + words : numbers + ", or " + words;
}

std::string range_of(const About& about) {
  const std::string range = range_of(about, fmt::format("{}", fmt::join(about.choices, " | ")));
  return range.empty() ? "" : fmt::format(" ({})", range);
}

// "text" where a word may be any.
std::string type_of(Type type, const About& about) {
  if (about.choices.empty() && type == Type::word) return "text";
  if (about.choices.empty() && type == Type::words) return "list of text";
  return std::string(name_of(type));
}

std::string marks_of(const Port& port) {
  return fmt::format("{}{}{}", port.optional ? " (optional)" : "", port.many ? " (one or more)" : "",
                     port.is_volatile ? " (volatile)" : "");
}

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::rank0:
      return "runs on rank 0";
    case Scope::all_ranks:
      return "runs on all ranks together";
    case Scope::shared:
      return "all ranks share it, in buckets of samples";
  }
  return "";
}

// ---- Markdown ----
// As a table's cell: on one line, with Markdown's signs escaped outside code.
std::string cell(const std::string& text) {
  std::string out;
  bool code = false;
  for (const char letter : text) {
    if (letter == '`') code = !code;
    if (letter == '|' || (!code && (letter == '<' || letter == '*'))) out += '\\';
    out += letter == '\n' ? ' ' : letter;
  }
  return out;
}

std::string quoted_range(const About& about) {
  return range_of(about, about.choices.empty() ? "" : fmt::format("`{}`", fmt::join(about.choices, "`, `")));
}

constexpr const char* key_columns =
    "| key | type | default | range | what it is | affects output |\n|---|---|---|---|---|---|\n";

std::string key_row(const std::string& name, std::string_view type, const Value& fallback, const About& about) {
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", name, type,
                     fallback.is_null() ? "" : fmt::format("`{}`", fallback.dump()), quoted_range(about),
                     cell(about.help), about.affects_output ? "yes" : "no");
}

std::string key_table(const Keys& keys) {
  std::string text = key_columns;
  for (const Key& key : keys.keys) {
    const std::string type = key.type ? type_of(*key.type, key.about) : key.form;
    text += key_row(key.name, key.required ? type + ", required" : type, key.fallback, key.about);
  }
  return text;
}

std::string port_rows(const std::vector<Port>& ports, const char* direction) {
  std::string text;
  for (const Port& port : ports)
    text += fmt::format("| {} | `{}` | {}{} |\n", direction, port.name, cell(port.help), marks_of(port));
  return text;
}

}  // namespace

std::string reference_section(const StageKind& kind) {
  std::string text =
      fmt::format("### {}\n\n{} (version {}; {}).\n\n", kind.name, kind.summary, kind.version, name_of(kind.scope));
  if (kind.ports) {
    text += "Its ports are what `inputs` and `outputs` name.\n\n";
  } else {
    text += "| | port | what it holds |\n|---|---|---|\n" + port_rows(kind.inputs, "in") +
            port_rows(kind.outputs, "out") + "\n";
  }
  if (kind.parameters.empty()) return text + "No parameters.\n\n";
  text += key_columns;
  for (const Specification& one : kind.parameters)
    text += key_row(one.name, type_of(one.type, one.about), one.fallback, one.about);
  return text + "\n";
}

std::string reference_page(const StageTable& kinds) {
  std::string text =
      "# Configuration reference\n\n"
      "Made from the tables that read a configuration: `penstock stages --markdown > configs/REFERENCE.md`. A value is "
      "taken from a flag\n"
      "(`--set stage.key=VALUE`), else from the environment (`PENSTOCK_SET_stage__key`), else from the file, else from "
      "the file's base\n"
      "(`extends`), else it is the default. What affects no output is in no key of the cache. `penstock schema` prints "
      "the same as a JSON\n"
      "Schema for editors; `penstock validate` checks a file.\n\n"
      "## The file\n\n" +
      key_table(file_keys()) + "\n## [pipeline]\n\n" + key_table(pipeline_keys()) +
      "\n## [stage.NAME]\n\n"
      "A name holds letters, digits, `_` and `-`. These keys every stage has; all others are parameters of its kind, "
      "below.\n\n" +
      key_table(stage_keys()) + "\n`resources`:\n\n" + key_table(resources_keys()) +
      "\nAn input is one of these, or a list of them where its port takes one or more:\n\n"
      "- `\"stage.output\"`: an output of another stage. Of a matrix, each run takes its own run's.\n"
      "- `\"stage.output[*]\"`: those of all runs; `\"stage.output[stage.parameter]\"`: of the runs that differ in "
      "that axis only.\n"
      "- `\"file:PATH\"`: a file or folder outside, from the configuration's own folder.\n"
      "- a table:\n\n" +
      key_table(source_keys()) +
      "\n## [matrix]\n\n"
      "Made in this order: axes x zip (or a sample of them), exclude, include, set, seeds. Keys are "
      "`\"stage.parameter\"`, values are those\n"
      "that the parameter takes. Without axes and zip, the includes are all there is.\n\n" +
      key_table(matrix_keys()) +
      "\nAn axis that is drawn from (a range over an integer gives integers, both ends included):\n\n" +
      key_table(range_keys());
  for (const Keys* keys : {&sample_keys(), &set_keys(), &seeds_keys(), &early_stop_keys()})
    text += fmt::format("\n{}:\n\n{}", keys->where, key_table(*keys));
  text += "\n## Stage kinds\n\n";
  for (const StageKind& kind : kinds) text += reference_section(kind);
  text +=
      "## Errors\n\n`penstock explain E203` prints a row of this table.\n\n| code | meaning | what to do "
      "|\n|---|---|---|\n";
  for (const Rule& rule : rules())
    text +=
        fmt::format("| {} | {} | {} |\n", rule.code, cell(std::string(rule.meaning)), cell(std::string(rule.remedy)));
  return text;
}

std::string describe_kind(const StageKind& kind) {
  std::string text =
      fmt::format("{} (version {}): {}\n{}\n", kind.name, kind.version, kind.summary, name_of(kind.scope));
  for (const Port& port : kind.inputs) text += fmt::format("  in   {:14} {}{}\n", port.name, port.help, marks_of(port));
  for (const Port& port : kind.outputs)
    text += fmt::format("  out  {:14} {}{}\n", port.name, port.help, marks_of(port));
  if (!kind.parameters.empty()) text += "parameters:\n";
  for (const Specification& one : kind.parameters) {
    text += fmt::format("  {} = {}\n      {}{}: {}\n", one.name, one.fallback.dump(), type_of(one.type, one.about),
                        range_of(one.about), one.about.help);
  }
  return text;
}

Value kind_as_json(const StageKind& kind) {
  Value inputs = Value::array(), outputs = Value::array(), parameters = Value::array();
  for (const Port& port : kind.inputs)
    inputs.push_back({{"port", port.name}, {"help", port.help}, {"optional", port.optional}, {"many", port.many}});
  for (const Port& port : kind.outputs)
    outputs.push_back({{"port", port.name}, {"help", port.help}, {"volatile", port.is_volatile}});
  for (const Specification& one : kind.parameters) {
    Value parameter = {{"name", one.name},
                       {"type", type_of(one.type, one.about)},
                       {"default", one.fallback},
                       {"help", one.about.help},
                       {"affects_output", one.about.affects_output}};
    if (one.about.minimum) parameter["minimum"] = *one.about.minimum;
    if (one.about.maximum) parameter["maximum"] = *one.about.maximum;
    if (!one.about.choices.empty()) parameter["choices"] = one.about.choices;
    parameters.push_back(std::move(parameter));
  }
  return {{"kind", kind.name}, {"version", kind.version}, {"summary", kind.summary},
          {"inputs", inputs},  {"outputs", outputs},      {"parameters", parameters}};
}

}  // namespace penstock::pipeline
