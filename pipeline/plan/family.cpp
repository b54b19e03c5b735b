#include "pipeline/plan/family.h"

#include <algorithm>

namespace penstock::pipeline {

std::optional<Digest> family_of(const Node& node, const KeyFields& fields) {
  if (!node.kind().ends) return std::nullopt;
  const std::vector<std::string> ends = node.kind().ends(node.values());
  Hasher hasher;
  hasher.field("family");
  for (const auto& [name, value] : fields.fields) {
    const bool only_ends = std::any_of(ends.begin(), ends.end(), [&field = name](const std::string& parameter) {
      return field == "parameter " + parameter;
    });
    if (!only_ends) add_to(hasher.field(name), value);
  }
  return hasher.finish();
}

Adoption adoption_of(const Node& node, const KeyFields& fields, const Store& store) {
  const auto family = family_of(node, fields);
  const Digest action = fields.key();
  if (!family || !node.declaration->resume || store.has_progress(action)) return {};
  const auto relatives = store.relatives(*family, action);
  if (relatives.empty()) return {};
  return node.kind().adopt(node.values(), relatives);
}

}  // namespace penstock::pipeline
