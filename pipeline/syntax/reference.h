// What a configuration may say, in words, made from the tables that parse it.
#pragma once

#include <string>

#include "pipeline/stage.h"

namespace penstock::pipeline {

// Summary, ports, and each parameter with type, default, range and one sentence: what `penstock stages KIND` prints.
std::string describe_kind(const StageKind& kind);

// The same for programs: {"kind", "version", "summary", "inputs": [{"port", "help", "optional", "many"}], "outputs":
// [{"port", "help", "volatile"}], "parameters": [{"name", "type", "default", "help", "minimum"?, "maximum"?,
// "choices"?, "affects_output"}]}.
Value kind_as_json(const StageKind& kind);

// Everything as one page of Markdown, configs/REFERENCE.md: what `penstock stages --markdown` prints.
std::string reference_page(const StageTable& kinds);
// The part of it on one kind.
std::string reference_section(const StageKind& kind);

}  // namespace penstock::pipeline
