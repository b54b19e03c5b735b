// A configuration: read, checked and expanded, or refused with every problem at a place in the text.
#include <algorithm>

#include "fuzz/fuzzing.h"
#include "pipeline/config/config.h"
#include "pipeline/syntax/diagnostic.h"
#include "pipeline/syntax/error_index.h"
#include "stages/kinds.h"

namespace penstock::fuzz {
namespace {

void look_at(const pipeline::LoadedConfig& loaded) {
  require(!loaded.graph.stages.empty() && !loaded.graph.runs.empty(), "an accepted configuration runs something");
  for (const auto& stage : loaded.graph.stages)
    require(stage->stage.find_first_of("/.") == std::string::npos, "a stage's name is a folder's name");
  for (const pipeline::Setting& setting : loaded.settings)
    require(!setting.value.is_null() && !setting.origin.empty(), "a setting has a value and an origin");
}

void look_at(const pipeline::ConfigError& refusal, size_t lines) {
  require(!refusal.found().empty(), "a refusal names a problem");
  for (const pipeline::Diagnostic& one : refusal.found()) {
    require(pipeline::find_rule(one.code) != nullptr, "a problem has a code that is explained");
    require(!one.sentence.empty(), "a problem has a sentence");
    require(one.position.line >= 0 && static_cast<size_t>(one.position.line) <= lines, "a problem lies in the text");
  }
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock;
  pipeline::ConfigRequest request;
  request.file = fuzz::scratch() / "x.toml";
  const std::string_view text = fuzz::text_of(data, size);
  // A base is another file: whatever lies on this machine is no part of an input.
  if (text.find("extends") != std::string_view::npos) return 0;
  fuzz::put(request.file, text);
  fuzz::is_refused(ExitCode::config, "x.toml", [&] {
    try {
      fuzz::look_at(pipeline::load_config(request, stages::stage_table()));
    } catch (const pipeline::ConfigError& refusal) {
      fuzz::look_at(refusal, 2 + static_cast<size_t>(std::count(text.begin(), text.end(), '\n')));
      throw;
    }
  });
  return 0;
}
