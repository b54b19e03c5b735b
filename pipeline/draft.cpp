#include "pipeline/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pipeline/draft_checks.h"
#include "pipeline/draft_overrides.h"
#include "pipeline/files.h"
#include "pipeline/suggestion.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr int most_counted = 100000;

class Reader {
 public:
  Reader(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics)
      : request_(request), kinds_(kinds), diagnostics_(diagnostics) {}

  Draft read() {
    const std::optional<Tree> tree = read_with_base();
    if (!tree) return std::move(draft_);
    known_keys(*tree, {"schema", "extends", "pipeline", "stage", "matrix"}, "the configuration");
    read_schema(*tree);
    read_pipeline(*tree);
    if (const Member* stages = table(*tree, "stage")) {
      for (const Member& member : stages->tree.members) read_stage(member);
    }
    if (draft_.stages.empty()) diagnostics_.error("E104", top_, "there is no [stage.NAME]: nothing to run");
    if (const Member* matrix = table(*tree, "matrix")) {
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

  std::optional<Tree> read_with_base() {
    top_ = {request_.file.string(), 1, 1};
    if (!fs::is_regular_file(request_.file)) {
      std::vector<std::string> near;
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(request_.file.has_parent_path() ? request_.file.parent_path() : ".", ignored)) {
        near.push_back(entry.path().filename().string());
      }
      throw Error(ExitCode::config, request_.file.string() + ": there is no such configuration file" +
                                        did_you_mean(request_.file.filename().string(), near));
    }
    std::optional<Tree> tree = read_one(request_.file);
    const Member* extends = tree ? tree->find("extends") : nullptr;
    if (extends == nullptr) return tree;
    if (!extends->tree.value.is_string()) {
      diagnostics_.error("E103", extends->tree.position, "extends must be the name of a configuration file");
      return tree;
    }
    const fs::path base = request_.file.parent_path() / extends->tree.value.get<std::string>();
    if (!fs::is_regular_file(base)) {
      diagnostics_.error("E106", extends->tree.position, "there is no file " + base.string(), 1);
      return tree;
    }
    const std::optional<Tree> below = read_one(base);
    if (!below) return tree;
    if (const Member* second = below->find("extends")) {
      diagnostics_.error("E106", second->position, "a base may not extend another file (one level)", 7);
    }
    return laid_over(*below, *tree);
  }

  void known_keys(const Tree& tree, const std::vector<std::string>& names, const std::string& where) {
    for (const Member& member : tree.members) {
      if (std::find(names.begin(), names.end(), member.key) != names.end()) continue;
      diagnostics_.error("E102", member.position, fmt::format("{} has no key '{}'{}", where, member.key, did_you_mean(member.key, names)),
                         member.key.size());
    }
  }

  // The member when it is a table; anything else is reported.
  const Member* table(const Tree& tree, const std::string& key) {
    const Member* member = tree.find(key);
    if (member != nullptr && !member->tree.is_table) {
      diagnostics_.error("E103", member->position, fmt::format("'{}' must be a table", key), key.size());
      return nullptr;
    }
    return member;
  }

  template <typename T>
  std::optional<T> get(const Tree& tree, const std::string& key, const char* type) {
    const Member* member = tree.find(key);
    if (member == nullptr) return std::nullopt;
    const Value& value = member->tree.value;
    const bool fits = std::is_same_v<T, bool>  ? value.is_boolean()
                      : std::is_same_v<T, int> ? value.is_number_integer()
                                               : value.is_string();
    if (fits) return value.get<T>();
    diagnostics_.error("E103", member->tree.position, fmt::format("'{}' must be {}", key, type));
    return std::nullopt;
  }

  // An integer of at least `minimum`; 0 when it is not given.
  int count(const Tree& tree, const std::string& key, int minimum) {
    const auto given = get<int>(tree, key, "an integer");
    if (!given || (*given >= minimum && *given <= most_counted)) return given.value_or(0);
    diagnostics_.error("E202", tree.find(key)->tree.position, fmt::format("'{}' must be from {} to {}, is {}", key, minimum, most_counted, *given));
    return 0;
  }

  std::vector<std::pair<std::string, Position>> names(const Tree& tree, const std::string& key) {
    std::vector<std::pair<std::string, Position>> found;
    const Member* member = tree.find(key);
    if (member == nullptr) return found;
    if (!member->tree.value.is_array()) {
      diagnostics_.error("E103", member->tree.position, fmt::format("'{}' must be a list of stage names", key));
      return found;
    }
    for (const Tree& element : member->tree.elements) {
      if (element.value.is_string()) {
        found.emplace_back(element.value.get<std::string>(), element.position);
      } else {
        diagnostics_.error("E103", element.position, fmt::format("'{}' must hold stage names", key));
      }
    }
    return found;
  }

  void read_schema(const Tree& tree) {
    if (tree.find("schema") == nullptr) {
      diagnostics_.error("E104", top_, "the file does not say its schema; begin it with `schema = 1`");
      return;
    }
    const auto schema = get<int>(tree, "schema", "an integer");
    if (schema && *schema != 1) {
      diagnostics_.error("E105", tree.find("schema")->tree.position, fmt::format("schema {} is unknown; this version reads schema 1", *schema));
    }
  }

  void read_pipeline(const Tree& tree) {
    draft_.name = request_.file.stem().string();
    const Member* pipeline = table(tree, "pipeline");
    if (pipeline == nullptr) return;
    known_keys(pipeline->tree, {"name", "targets", "store"}, "[pipeline]");
    if (auto name = get<std::string>(pipeline->tree, "name", "text")) {
      draft_.name = *name;
      if (name->empty() || name->find('/') != std::string::npos || (*name)[0] == '.') {
        diagnostics_.error("E103", pipeline->tree.find("name")->tree.position, "a pipeline's name is a folder's name: no '/', not empty, no leading '.'");
      }
    }
    if (auto store = get<std::string>(pipeline->tree, "store", "a folder's name")) draft_.store = *store;
    draft_.targets = names(pipeline->tree, "targets");
  }

  // ---- stages ----
  void read_stage(const Member& member) {
    if (!member.tree.is_table) {
      diagnostics_.error("E103", member.position, fmt::format("stage '{}' must be a table", member.key), member.key.size());
      return;
    }
    DraftStage stage;
    StageDeclaration& declared = stage.declaration;
    declared.stage = member.key;
    declared.position = member.position;
    const std::string uses = get<std::string>(member.tree, "uses", "a stage kind's name").value_or(member.key);
    declared.kind = find_kind(kinds_, uses);
    if (declared.kind == nullptr) {
      std::vector<std::string> known;
      for (const StageKind& kind : kinds_) known.push_back(kind.name);
      const Member* named = member.tree.find("uses");
      diagnostics_.error("E201", named ? named->tree.position : member.position,
                         fmt::format("there is no stage kind '{}'{}", uses, did_you_mean(uses, known)), uses.size());
      return;
    }
    for (const Specification& one : declared.kind->parameters) stage.values[one.name] = {one.fallback, member.position, "default"};
    declared.cacheable = get<bool>(member.tree, "cacheable", "true or false").value_or(true);
    declared.resume = get<bool>(member.tree, "resume", "true or false").value_or(true);
    stage.needs = names(member.tree, "needs");
    declared.gate = get<bool>(member.tree, "gate", "true or false").value_or(true);
    declared.retries = count(member.tree, "retries", 0);
    if (const Member* resources = table(member.tree, "resources")) {
      known_keys(resources->tree, {"ranks"}, "resources");
      declared.ranks = count(resources->tree, "ranks", 1);
    }
    if (const Member* inputs = table(member.tree, "inputs")) {
      for (const Member& input : inputs->tree.members) stage.inputs.push_back(read_input(input));
    }
    for (const Member& one : member.tree.members) {
      if (std::find(reserved_keys().begin(), reserved_keys().end(), one.key) == reserved_keys().end()) read_parameter(stage, one.key, one);
    }
    draft_.stages.push_back(std::move(stage));
  }

  void read_parameter(DraftStage& stage, const std::string& name, const Member& member) {
    if (member.tree.is_table) {
      for (const Member& inner : member.tree.members) read_parameter(stage, name + "." + inner.key, inner);
      return;
    }
    set_value(stage, name, member.tree.value, {member.position, member.tree.position, to_string(member.tree.position)}, diagnostics_);
  }

  DraftInput read_input(const Member& member) {
    DraftInput input{member.key, member.position, {}};
    if (!member.tree.elements.empty()) {
      for (const Tree& element : member.tree.elements) read_source(element, input);
    } else {
      read_source(member.tree, input);
    }
    return input;
  }

  void read_source(const Tree& tree, DraftInput& input) {
    DraftSource source;
    source.declared.position = tree.position;
    const fs::path folder = fs::path(tree.position.file).parent_path();
    if (tree.is_table) {
      known_keys(tree, {"file", "sha256", "source"}, "an input");
      const auto file = get<std::string>(tree, "file", "a path");
      if (!file) {
        diagnostics_.error("E104", tree.position, "an input that is a table names its `file`");
        return;
      }
      source.declared.external = folder / *file;
      source.declared.sha256 = get<std::string>(tree, "sha256", "64 hex digits").value_or("");
      source.declared.origin = get<std::string>(tree, "source", "text").value_or("");
    } else if (tree.value.is_string()) {
      const std::string text = tree.value.get<std::string>();
      if (text.starts_with("file:")) {
        source.declared.external = folder / text.substr(5);
      } else if (!split_reference(text, source)) {
        diagnostics_.error("E103", tree.position, fmt::format("'{}' is no input; write \"stage.output\" or \"file:PATH\"", text), text.size() + 2);
        return;
      }
    } else {
      diagnostics_.error("E103", tree.position, "an input is \"stage.output\", \"file:PATH\", a table with `file`, or a list of these");
      return;
    }
    input.sources.push_back(std::move(source));
  }

  // "eval.metrics[*]" -> stage, port, fan.
  static bool split_reference(const std::string& text, DraftSource& source) {
    const size_t open = text.find('[');
    const std::string plain = text.substr(0, open);
    const size_t dot = plain.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == plain.size() || plain.find('.', dot + 1) != std::string::npos) return false;
    source.stage = plain.substr(0, dot);
    source.declared.port = plain.substr(dot + 1);
    if (open == std::string::npos) return true;
    if (text.back() != ']' || text.size() - open < 3) return false;
    source.fan = text.substr(open + 1, text.size() - open - 2);
    return true;
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

const DraftInput* DraftStage::input(const std::string& port) const {
  const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const DraftInput& one) { return one.port == port; });
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
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const DraftStage& one) { return one.name() == stage; });
  return found == stages.end() ? nullptr : &*found;
}

std::vector<std::string> Draft::stage_names() const {
  std::vector<std::string> names;
  for (const DraftStage& stage : stages) names.push_back(stage.name());
  return names;
}

Draft read_draft(const ConfigRequest& request, const StageTable& kinds, Diagnostics& diagnostics) {
  return Reader(request, kinds, diagnostics).read();
}

}  // namespace penstock::pipeline
