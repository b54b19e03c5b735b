// The commands that tell what a configuration may say, to people and to editors: stages --markdown, schema.
#include <fmt/format.h>

#include <iostream>

#include "launch/commands/commands.h"
#include "pipeline/config/json_schema.h"
#include "pipeline/config/reference.h"
#include "stages/training/links.h"

namespace penstock::launch {

int markdown_command(const std::string& kind, const pipeline::StageTable& kinds) {
  std::cout << (kind.empty() ? pipeline::reference_page(kinds) + stages::reference_of_links()
                             : pipeline::reference_section(known_kind(kind, kinds)));
  return 0;
}

int schema_command(const pipeline::StageTable& kinds) {
  std::cout << pipeline::json_schema(kinds).dump(1) << '\n';
  return 0;
}

}  // namespace penstock::launch
