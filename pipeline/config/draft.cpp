#include "pipeline/config/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "distributed/printable.h"
#include "pipeline/config/draft_checks.h"
#include "pipeline/config/draft_inputs.h"
#include "pipeline/config/draft_overrides.h"
#include "pipeline/config/draft_values.h"
#include "pipeline/files.h"
#include "pipeline/suggestion.h"
#include "pipeline/syntax/table_reader.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

bool is_plain_name(const std::string& name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

class Reader {
 public:
  Reader(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics)
      : request_(request), kinds_(kinds), diagnostics_(diagnostics) {}

  Draft read() {
    const std::optional<Tree> tree = read_with_base();
    if (!tree) return std::move(draft_);
    const TableReader reader(*tree, file_keys(), diagnostics_);
    refuse_unknown_keys(*tree);
    read_schema(reader);
    draft_.name = distributed::printable_name(request_.file.stem().string());
    if (const Member* pipeline = reader.table("pipeline")) read_pipeline(pipeline->tree);
    if (const Member* stages = reader.table("stage")) {
      for (const Member& member : stages->tree.members) read_stage(member);
    }
    if (reader.given("stage") == nullptr ||
        (draft_.stages.empty() && draft_.unread.empty() && reader.given("stage")->tree.is_table))
      diagnostics_.error("E104", top_, "there is no [stage.NAME]: nothing to run");
    if (const Member* matrix = reader.table("matrix")) {
      draft_.matrix = matrix->tree;
      draft_.matrix_position = matrix->position;
    }
    apply_overrides(request_, draft_, diagnostics_);
    check_draft(draft_, diagnostics_);
    return std::move(draft_);
  }

 private:
  // ---- the file ----
  std::optional<Tree> read_one(const fs::path& file) {
    const std::string name = file.string();
    const std::string text = read_file(file);
    diagnostics_.add_source(name, text);
    return parse_document(text, name, diagnostics_);
  }

  static std::vector<std::string> files_beside(const fs::path& file) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(file.has_parent_path() ? file.parent_path() : ".", ignored))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::optional<Tree> read_with_base() {
    top_ = {request_.file.string(), 1, 1};
    if (!fs::is_regular_file(request_.file)) {
      throw Error(ExitCode::config, request_.file.string() + ": there is no such configuration file" +
                                        did_you_mean(request_.file.filename().string(), files_beside(request_.file)));
    }
    const std::optional<Tree> tree = read_one(request_.file);
    const Member* extends = tree ? tree->find("extends") : nullptr;
    if (extends == nullptr) return tree;
    const std::optional<Tree> base = read_base(TableReader(*tree, file_keys(), diagnostics_));
    return base ? std::optional(laid_over(*base, *tree))
                : std::nullopt;  // without it, whatever it brings would seem to be missing
  }

  std::optional<Tree> read_base(const TableReader& reader) {
    const auto name = reader.text("extends");
    if (!name) return std::nullopt;
    const Position& place = reader.given("extends")->tree.position;
    const fs::path file = request_.file.parent_path() / *name;
    if (!fs::is_regular_file(file)) {
      diagnostics_.error("E106", place,
                         fmt::format("there is no file {}{}", file.string(),
                                     did_you_mean(file.filename().string(), files_beside(file))));
      return std::nullopt;
    }
    std::optional<Tree> base = read_one(file);
    if (const Member* second = base ? base->find("extends") : nullptr) {
      diagnostics_.error("E106", second->position, "a base may not extend a file itself: one level",
                         {{place, "it is the base here"}});
      return std::nullopt;
    }
    return base;
  }

  // The commonest key of this kind is a parameter that stands above every table.
  void refuse_unknown_keys(const Tree& tree) {
    const std::vector<std::string> names = file_keys().names();
    for (const Member& member : tree.members) {
      if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
      const auto owner = std::find_if(kinds_.begin(), kinds_.end(), [&](const StageKind& kind) {
        return std::any_of(kind.parameters.begin(), kind.parameters.end(),
                           [&](const Specification& one) { return one.name == member.key; });
      });
      if (owner == kinds_.end() || member.tree.is_table) {
        report_unknown_key(member, file_keys().where, names, diagnostics_);
      } else {
        diagnostics_.error(
            "E102", member.position,
            fmt::format("'{}' is a parameter of a stage: write it below [stage.{}]", member.key, owner->name));
      }
    }
  }

  void read_schema(const TableReader& reader) {
    if (reader.given("schema") == nullptr) {
      diagnostics_.error("E104", top_, "the file does not declare its schema; begin it with `schema = 1`");
      return;
    }
    const auto schema = reader.integer("schema");
    if (schema && *schema != 1) {
      diagnostics_.error("E105", reader.given("schema")->tree.position,
                         fmt::format("schema {} is unknown; this version reads schema 1", *schema));
    }
  }

  void read_pipeline(const Tree& tree) {
    const TableReader reader(tree, pipeline_keys(), diagnostics_);
    reader.refuse_unknown_keys();
    if (const auto name = reader.text("name")) {
      draft_.name = *name;
      if (name->empty() || name->find('/') != std::string::npos || (*name)[0] == '.') {
        diagnostics_.error("E103", reader.given("name")->tree.position,
                           "a pipeline's name is a folder's name: not empty, no '/', no '.' at its beginning");
      }
    }
    if (const auto store = reader.text("store")) {
      draft_.store = *store;
      if (store->empty())
        diagnostics_.error("E103", reader.given("store")->tree.position, "'store' must name a folder, is empty");
    }
    draft_.targets = reader.words("targets");
  }

  // ---- stages ----
  const StageKind* kind_of(const Member& member, const TableReader& reader) {
    const Member* uses = reader.given("uses");
    const auto named = reader.text("uses");
    if (uses != nullptr && !named) return nullptr;
    const std::string name = named.value_or(member.key);
    if (const StageKind* kind = find_kind(kinds_, name)) return kind;
    std::vector<std::string> known;
    for (const StageKind& kind : kinds_) known.push_back(kind.name);
    diagnostics_.error("E201", uses ? uses->tree.position : member.position,
                       fmt::format("there is no stage kind '{}'{}", name,
                                   instead_of(name, known, uses ? "known:" : "say which it `uses`:")));
    if (const auto near = nearest_name(name, known); near && !uses) draft_.unread.insert(*near);
    return nullptr;
  }

  void read_stage(const Member& member) {
    if (!member.tree.is_table) {
      diagnostics_.error("E103", member.position,
                         fmt::format("stage '{}' must be a table: write [stage.{}]", member.key, member.key));
      draft_.unread.insert(member.key);
      return;
    }
    if (!is_plain_name(member.key)) {
      diagnostics_.error("E103", member.position,
                         fmt::format("'{}' is not a stage name: letters, digits, '_' and '-' only", member.key));
    }
    const TableReader reader(member.tree, stage_keys(), diagnostics_, "stage." + member.key);
    DraftStage stage;
    StageDeclaration& declared = stage.declaration;
    declared.stage = member.key;
    declared.position = member.position;
    declared.kind = kind_of(member, reader);
    if (declared.kind == nullptr) {
      draft_.unread.insert(member.key);
      return;
    }
    for (const Specification& one : declared.kind->parameters)
      stage.values[one.name] = {one.fallback, member.position, "default"};
    declared.cacheable = reader.boolean("cacheable").value_or(true);
    declared.resume = reader.boolean("resume").value_or(true);
    declared.gate = reader.boolean("gate").value_or(true);
    declared.retries = static_cast<int>(reader.integer("retries").value_or(0));
    stage.needs = reader.words("needs");
    if (const Member* resources = reader.table("resources")) {
      const TableReader inner(resources->tree, resources_keys(), diagnostics_);
      inner.refuse_unknown_keys();
      declared.ranks = static_cast<int>(inner.integer("ranks").value_or(0));
    }
    if (const Member* inputs = reader.table("inputs")) {
      stage.inputs_position = inputs->position;
      stage.inputs = read_inputs(inputs->tree, kinds_, diagnostics_);
    } else {
      stage.inputs_unread = reader.given("inputs") != nullptr;
    }
    const std::vector<std::string> reserved = stage_keys().names();
    for (const Member& one : member.tree.members) {
      if (std::find(reserved.begin(), reserved.end(), one.key) == reserved.end()) read_parameter(stage, one.key, one);
    }
    draft_.stages.push_back(std::move(stage));
  }

  // A table is read through where parameters of the kind lie in it (early_stopping.patience).
  void read_parameter(DraftStage& stage, const std::string& name, const Member& member) {
    if (member.tree.is_table && holds_parameters(stage.kind(), name)) {
      for (const Member& inner : member.tree.members) read_parameter(stage, name + "." + inner.key, inner);
      return;
    }
    ValuePlace place{member.position, member.tree.position, to_string(member.tree.position), {}};
    for (const Tree& element : member.tree.elements) place.elements.push_back(element.position);
    set_value(stage, name, member.tree.value, place, diagnostics_);
  }

  const ConfigRequest& request_;
  const StageTable& kinds_;
  Diagnostics& diagnostics_;
  Draft draft_;
  Position top_;
};

}  // namespace

Values DraftStage::plain_values() const {
  Values plain;
  for (const auto& [parameter, given] : values) plain.emplace(parameter, given.value);
  return plain;
}

std::vector<std::string> DraftStage::given() const {
  std::vector<std::string> names;
  for (const auto& [parameter, value] : values) {
    if (value.origin != "default" && value.origin != "--rehearse") names.push_back(parameter);
  }
  return names;
}

const DraftInput* DraftStage::input(const std::string& port) const {
  const auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const DraftInput& one) { return one.port == port; });
  return found == inputs.end() ? nullptr : &*found;
}

std::vector<std::string> DraftStage::upstreams() const {
  std::vector<std::string> names;
  for (const DraftInput& one : inputs) {
    for (const DraftSource& source : one.sources) {
      if (!source.stage.empty()) names.push_back(source.stage);
    }
  }
  for (const auto& [need, place] : needs) names.push_back(need);
  return names;
}

DraftStage* Draft::find(const std::string& stage) {
  const auto found =
      std::find_if(stages.begin(), stages.end(), [&](const DraftStage& one) { return one.name() == stage; });
  return found == stages.end() ? nullptr : &*found;
}

std::vector<std::string> Draft::stage_names() const {
  std::vector<std::string> names;
  for (const DraftStage& stage : stages) names.push_back(stage.name());
  return names;
}

std::vector<std::string> Draft::parameter_paths() const {
  std::vector<std::string> paths;
  for (const DraftStage& stage : stages) {
    for (const Specification& one : stage.kind().parameters) paths.push_back(stage.name() + "." + one.name);
  }
  return paths;
}

const Specification* Draft::parameter(const std::string& path) const {
  const size_t dot = path.find('.');
  const DraftStage* stage = dot == std::string::npos ? nullptr : find(path.substr(0, dot));
  if (stage == nullptr) return nullptr;
  const auto& known = stage->kind().parameters;
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const Specification& one) { return one.name == path.substr(dot + 1); });
  return found == known.end() ? nullptr : &*found;
}

const Value& Draft::value(const std::string& path) const {
  const size_t dot = path.find('.');
  return find(path.substr(0, dot))->values.at(path.substr(dot + 1)).value;
}

Draft read_draft(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics) {
  return Reader(request, kinds, diagnostics).read();
}

}  // namespace penstock::pipeline
