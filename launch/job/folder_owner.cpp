#include "launch/job/folder_owner.h"

#include <fmt/format.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "pipeline/value.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

constexpr const char* note_name = "configuration.json";

// The configuration that the folder's note names, from the working directory; empty when there is none.
fs::path owner_of(const fs::path& folder) {
  if (!fs::is_regular_file(folder / note_name)) return {};
  const Value note = Value::parse(pipeline::read_file(folder / note_name), nullptr, false);
  if (!note.is_object() || !note.value("config", Value()).is_string()) return {};
  return note.at("config").get<std::string>();
}

void refuse_another(const fs::path& folder, const fs::path& config) {
  const fs::path owner = owner_of(folder);
  std::error_code ignored;
  if (owner.empty() || !fs::exists(owner, ignored) || fs::equivalent(owner, config, ignored)) return;
  throw Error(ExitCode::cannot_create,
              fmt::format("{} holds the results of {}, and {} has the same name ('{}') and would overwrite them: give "
                          "one of the two another `name` under [pipeline], or run it in another folder",
                          folder.string(), owner.string(), config.string(), folder.filename().string()));
}

}  // namespace

void claim_folder(const fs::path& folder, const fs::path& config) {
  refuse_another(folder, config);
  std::error_code problem;
  const fs::path from_here = fs::proximate(config, problem);
  const std::string note =
      Value{{"config", (problem ? config : from_here).string()}}.dump(1, ' ', false, Value::error_handler_t::replace) +
      "\n";
  const bool first = pipeline::publish_file(folder / note_name, note);
  if (first || owner_of(folder) == (problem ? config : from_here)) return;
  refuse_another(folder, config);  // another run's, started a moment ago
  pipeline::write_file(folder / note_name, note);
}

}  // namespace penstock::launch
