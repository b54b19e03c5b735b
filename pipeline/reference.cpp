#include "pipeline/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock::pipeline {
namespace {

std::string range_of(const About& about) {
  if (!about.choices.empty()) return fmt::format(" ({})", fmt::join(about.choices, " | "));
  if (about.minimum && about.maximum) return fmt::format(" ({} to {})", *about.minimum, *about.maximum);
  if (about.minimum) return fmt::format(" (at least {})", *about.minimum);
  if (about.maximum) return fmt::format(" (at most {})", *about.maximum);
  return "";
}

std::string marks_of(const Port& port) {
  return fmt::format("{}{}{}", port.optional ? " (optional)" : "", port.many ? " (one or more)" : "",
                     port.is_volatile ? " (volatile)" : "");
}

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::rank0: return "runs on rank 0";
    case Scope::all_ranks: return "runs on all ranks together";
    case Scope::shared: return "all ranks share it, in buckets of samples";
  }
  return "";
}

}  // namespace

std::string describe_kind(const StageKind& kind) {
  std::string text = fmt::format("{} (version {}): {}\n{}\n", kind.name, kind.version, kind.summary, name_of(kind.scope));
  for (const Port& port : kind.inputs) text += fmt::format("  in   {:14} {}{}\n", port.name, port.help, marks_of(port));
  for (const Port& port : kind.outputs) text += fmt::format("  out  {:14} {}{}\n", port.name, port.help, marks_of(port));
  if (!kind.parameters.empty()) text += "parameters:\n";
  for (const Specification& one : kind.parameters) {
    text += fmt::format("  {} = {}\n      {}{}: {}\n", one.name, one.fallback.dump(), pipeline::name_of(one.type),
                        range_of(one.about), one.about.help);
  }
  return text;
}

}  // namespace penstock::pipeline
