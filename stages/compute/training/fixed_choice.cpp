#include "stages/compute/training/fixed_choice.h"

#include <algorithm>

#include "distributed/collectives.h"
#include "pipeline/files.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

// null: none is kept there.
Value kept_in(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / (name + ".json");
  return fs::exists(file) ? Value::parse(pipeline::read_file(file)).at(name) : Value();
}

}  // namespace

Value fixed_choice(distributed::Communicator& ranks, const fs::path& progress, std::vector<fs::path>& relatives,
                   const std::string& name, const std::function<Value()>& choose) {
  Value fixed;
  if (ranks.rank() == 0) {
    fixed = kept_in(progress, name);
    for (auto relative = relatives.begin(); fixed.is_null() && relative != relatives.end(); ++relative)
      fixed = kept_in(*relative, name);
  }
  fixed = Value::parse(distributed::broadcast_text(ranks, fixed.dump(), 0, "what earlier attempts chose"));
  if (fixed.is_null()) fixed = choose();
  if (ranks.rank() == 0 && kept_in(progress, name).is_null())
    pipeline::write_file(progress / (name + ".json"), Value{{name, fixed}}.dump() + "\n");
  std::erase_if(relatives, [&](const fs::path& relative) { return kept_in(relative, name) != fixed; });
  return fixed;
}

}  // namespace penstock::stages
