#include "pipeline/config/matrix_draft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "pipeline/suggestion.h"
#include "pipeline/syntax/table_reader.h"

namespace penstock::pipeline {
namespace {

// A key of a table of parameters and what stands behind it.
struct Leaf {
  std::string key;
  Position position;
  const Tree* tree;
};

class MatrixReader {
 public:
  MatrixReader(const Draft& draft, Diagnostics& diagnostics)
      : draft_(draft), top_(*draft.matrix, matrix_keys(), diagnostics, "matrix"), diagnostics_(diagnostics) {}

  MatrixDraft read() {
    const Member* seeds = top_.table("seeds");
    if (seeds != nullptr) read_seeds(*seeds);
    read_axes();
    for (const Tree* zip : top_.tables("zip")) read_zip(*zip);
    if (seeds != nullptr && matrix_.seeds) vary(matrix_.seeds->name, matrix_.seeds->position);
    for (const Tree* one : top_.tables("exclude")) {
      refuse_empty(*one, "an exclude");
      matrix_.excludes.push_back({assignment_of(*one), one->position});
    }
    for (const Tree* one : top_.tables("include")) {
      refuse_empty(*one, "an include");
      matrix_.includes.push_back({given_by(*one), one->position});
    }
    for (const Tree* one : top_.tables("set")) read_set(*one);
    if (const Member* sample = top_.table("sample")) read_sample(*sample);
    if (const auto most = top_.integer("max_runs")) matrix_.max_runs = *most;
    matrix_.max_runs_position = top_.given("max_runs") ? top_.given("max_runs")->position : draft_.matrix_position;
    refuse_overrides();
    matrix_.faulty = faulty();
    return std::move(matrix_);
  }

 private:
  bool faulty() const { return unread_ || diagnostics_.count() != before_; }

  // ---- parameters and their values ----
  // Both "train.lr" and train.lr are taken: the second is a table in a table to TOML.
  std::vector<Leaf> leaves_of(const Tree& table, const std::string& prefix = "") const {
    std::vector<Leaf> leaves;
    for (const Member& member : table.members) {
      const std::string key = prefix.empty() ? member.key : prefix + "." + member.key;
      const Tree& tree = member.tree;
      const bool inner = tree.is_table && !tree.members.empty() && !tree.find("uniform") && !tree.find("log_uniform") &&
                         draft_.parameter(key) == nullptr;
      if (!inner) {
        leaves.push_back({key, member.position, &tree});
      } else {
        for (Leaf& leaf : leaves_of(tree, key)) leaves.push_back(std::move(leaf));
      }
    }
    return leaves;
  }

  // nullptr, and reported, when the key is no parameter.
  const Specification* parameter(const std::string& key, const Position& place) {
    if (const Specification* found = draft_.parameter(key)) return found;
    const size_t dot = key.find('.');
    const std::string stage = key.substr(0, dot);
    if (dot != std::string::npos && draft_.unread.count(stage)) {
      unread_ = true;
    } else if (dot == std::string::npos) {
      diagnostics_.error("E401", place, fmt::format("'{}' does not name its stage{}", key, owner_of(key)));
    } else if (const DraftStage* found = draft_.find(stage)) {
      std::vector<std::string> names;
      for (const Specification& one : found->kind().parameters) names.push_back(one.name);
      diagnostics_.error("E401", place,
                         fmt::format("stage '{}' has no parameter '{}'{}", stage, key.substr(dot + 1),
                                     did_you_mean(key.substr(dot + 1), names)));
    } else {
      diagnostics_.error(
          "E401", place,
          fmt::format("there is no stage '{}'{}", stage, instead_of(stage, draft_.stage_names(), "known:")));
    }
    return nullptr;
  }

  // "; did you mean 'train.lr'?" for "lr".
  std::string owner_of(const std::string& name) const {
    for (const std::string& path : draft_.parameter_paths()) {
      if (path.ends_with("." + name)) return fmt::format("; did you mean '{}'?", path);
    }
    return "; write \"stage.parameter\"";
  }

  std::optional<Value> checked(const std::string& key, const Specification& specification, const Tree& tree) {
    if (const auto problem = problem_with(specification, tree.value)) {
      diagnostics_.error("E402", tree.position, fmt::format("'{}' {}", key, *problem));
      return std::nullopt;
    }
    Value value = normalised(specification, tree.value);
    matrix_.places.try_emplace(key + "=" + value.dump(), tree.position);
    return value;
  }

  // One parameter is varied in one place.
  void vary(const std::string& key, const Position& place) {
    for (const auto& [known, first] : matrix_.axes) {
      if (known == key)
        diagnostics_.error("E407", place, fmt::format("'{}' is varied twice", key), {{first, "the first is here"}});
    }
    matrix_.axes.emplace_back(key, place);
    matrix_.places.try_emplace(key, place);
  }

  // Each value of a list of them, which must differ.
  std::vector<Value> values_of(const std::string& key, const Specification& specification, const Tree& list,
                               const std::string& what) {
    std::vector<Value> values;
    if (!list.value.is_array() || list.elements.empty()) {
      diagnostics_.error("E402", list.position,
                         fmt::format("{} must be a list of values, is {}", what,
                                     list.value.is_array() ? "an empty list" : as_read(list.value)));
      return values;
    }
    std::map<std::string, const Tree*> seen;
    for (const Tree& element : list.elements) {
      const auto value = checked(key, specification, element);
      if (!value) continue;
      const auto [first, fresh] = seen.try_emplace(value->dump(), &element);
      if (fresh) {
        values.push_back(*value);
      } else {
        diagnostics_.error("E404", element.position,
                           fmt::format("{} has the value {} twice", what, as_read(element.value)),
                           {{first->second->position, "the first is here"}});
      }
    }
    return values;
  }

  // What runs get; [matrix.seeds] gives every run its parameter, so that it cannot come from elsewhere too.
  Assignment given_by(const Tree& table) {
    for (const Leaf& leaf : leaves_of(table)) {
      if (!matrix_.seeds || leaf.key != matrix_.seeds->name) continue;
      diagnostics_.error("E407", leaf.position,
                         fmt::format("'{}' is set here, and by [matrix.seeds] in every run", leaf.key),
                         {{matrix_.seeds->position, "the seeds are here"}});
    }
    return assignment_of(table);
  }

  Assignment assignment_of(const Tree& table) {
    Assignment assignment;
    for (const Leaf& leaf : leaves_of(table)) {
      const Specification* known = parameter(leaf.key, leaf.position);
      const auto value = known ? checked(leaf.key, *known, *leaf.tree) : std::nullopt;
      if (value) assignment.emplace_back(leaf.key, *value);
    }
    return assignment;
  }

  // ---- the parts ----
  void read_axes() {
    const Member* axes = top_.table("axes");
    if (axes == nullptr) return;
    for (const Leaf& leaf : leaves_of(axes->tree)) {
      const Specification* known = parameter(leaf.key, leaf.position);
      if (known == nullptr) continue;
      vary(leaf.key, leaf.position);
      Factor factor{leaf.key, leaf.position, {}, {}};
      if (leaf.tree->is_table) {
        factor.range = read_range(leaf, *known);
      } else {
        for (Value& value : values_of(leaf.key, *known, *leaf.tree, fmt::format("axis '{}'", leaf.key)))
          factor.rows.push_back({{leaf.key, std::move(value)}});
      }
      matrix_.factors.push_back(std::move(factor));
    }
  }

  std::optional<Range> read_range(const Leaf& leaf, const Specification& known) {
    const size_t before = diagnostics_.count();
    const TableReader reader(*leaf.tree, range_keys(), diagnostics_);
    reader.refuse_unknown_keys();
    if (diagnostics_.count() != before) return std::nullopt;
    const Member* linear = reader.given("uniform");
    const Member* logarithmic = reader.given("log_uniform");
    if ((linear == nullptr) == (logarithmic == nullptr)) {
      diagnostics_.error(
          "E402", leaf.tree->position,
          fmt::format(
              "axis '{}' is a list of values, or a table with uniform = [low, high] or log_uniform = [low, high]",
              leaf.key));
      return std::nullopt;
    }
    const Tree& ends = (linear ? linear : logarithmic)->tree;
    const bool numbers =
        ends.value.is_array() && ends.value.size() == 2 && ends.value[0].is_number() && ends.value[1].is_number();
    if (!numbers || ends.value[0] >= ends.value[1] || (logarithmic && ends.value[0] <= 0)) {
      diagnostics_.error(
          "E402", ends.position,
          logarithmic ? "log_uniform is [low, high], with 0 < low < high" : "uniform is [low, high], with low < high");
      return std::nullopt;
    }
    if (known.type != Type::integer && known.type != Type::number && known.type != Type::integer_or_word &&
        known.type != Type::number_or_word) {
      diagnostics_.error(
          "E402", ends.position,
          fmt::format("'{}' takes no numbers, so it cannot be drawn from a range: give a list of values", leaf.key));
      return std::nullopt;
    }
    const auto low = checked(leaf.key, known, ends.elements[0]), high = checked(leaf.key, known, ends.elements[1]);
    if (!draft_.matrix->find("sample"))
      diagnostics_.error("E402", ends.position,
                         "a range needs [matrix.sample], whose n says how many values are drawn");
    if (!low || !high) return std::nullopt;
    return Range{logarithmic != nullptr, known.type == Type::integer || known.type == Type::integer_or_word,
                 low->get<double>(), high->get<double>()};
  }

  void read_zip(const Tree& table) {
    Factor factor{"", table.position, {}, {}};
    std::optional<Leaf> first;
    std::vector<std::string> names;
    for (const Leaf& leaf : leaves_of(table)) {
      const Specification* known = parameter(leaf.key, leaf.position);
      if (known == nullptr) continue;
      vary(leaf.key, leaf.position);
      if (!leaf.tree->value.is_array() || leaf.tree->elements.empty()) {
        diagnostics_.error("E402", leaf.tree->position,
                           fmt::format("column '{}' of a zip must be a list of values, is {}", leaf.key,
                                       leaf.tree->value.is_array() ? "an empty list" : as_read(leaf.tree->value)));
        continue;
      }
      const size_t length = leaf.tree->elements.size();
      if (!first) {
        first = leaf;
        factor.rows.resize(length);
      } else if (length != factor.rows.size()) {
        diagnostics_.error("E405", leaf.tree->position,
                           fmt::format("column '{}' has {} values, column '{}' has {}", leaf.key, length, first->key,
                                       factor.rows.size()),
                           {{first->tree->position, fmt::format("'{}' is here", first->key)}});
        continue;
      }
      names.push_back(leaf.key);
      for (size_t row = 0; row < length; ++row) {
        if (const auto value = checked(leaf.key, *known, leaf.tree->elements[row]))
          factor.rows[row].emplace_back(leaf.key, *value);
      }
    }
    if (table.members.empty())
      diagnostics_.error("E104", table.position, "a zip names its columns: \"stage.parameter\" = [values]");
    factor.name = fmt::format("{}", fmt::join(names, ", "));
    if (first && !faulty()) refuse_twice(factor, *first);
    matrix_.factors.push_back(std::move(factor));
  }

  void refuse_twice(const Factor& zip, const Leaf& column) {
    std::map<std::string, size_t> seen;
    for (size_t row = 0; row < zip.rows.size(); ++row) {
      const auto [first, fresh] = seen.try_emplace(text_of(zip.rows[row]), row);
      if (fresh) continue;
      const std::vector<Tree>& places = column.tree->elements;
      diagnostics_.error("E404", places[row].position,
                         fmt::format("row {} of this zip repeats row {}", row + 1, first->second + 1),
                         {{places[first->second].position, "the first is here"}});
    }
  }

  void refuse_empty(const Tree& table, const std::string& what) {
    if (table.members.empty())
      diagnostics_.error("E104", table.position,
                         fmt::format("{} names at least one parameter: \"stage.parameter\" = value", what));
  }

  void read_set(const Tree& table) {
    const TableReader reader(table, set_keys(), diagnostics_, "matrix.set");
    reader.refuse_unknown_keys();
    if (!reader.requires_its_keys(table.position)) return;
    ConditionalSet set;
    set.when.position = table.position;
    if (const Member* when = reader.table("when")) {
      set.when = {assignment_of(when->tree), when->position};
    }
    if (const Member* changes = reader.table("set")) set.changes = given_by(changes->tree);
    matrix_.sets.push_back(std::move(set));
  }

  void read_sample(const Member& member) {
    const TableReader reader(member.tree, sample_keys(), diagnostics_);
    reader.refuse_unknown_keys();
    const bool complete = reader.requires_its_keys(member.position);
    const auto n = reader.integer("n");
    const auto seed = reader.integer("seed");
    if (!complete || !n) return;
    if (matrix_.factors.empty() && !faulty())
      diagnostics_.error("E104", member.position,
                         "[matrix.sample] draws from [matrix.axes] and [[matrix.zip]], and there is neither");
    matrix_.sample = {*n, seed.value_or(0), reader.given("n")->tree.position};
  }

  void read_seeds(const Member& member) {
    const TableReader reader(member.tree, seeds_keys(), diagnostics_);
    reader.refuse_unknown_keys();
    const bool complete = reader.requires_its_keys(member.position);
    const auto path = reader.text("path");
    if (!complete || !path) return;
    const Position& place = reader.given("path")->tree.position;
    const Specification* known = parameter(*path, place);
    if (known == nullptr) return;
    Factor factor{*path, place, {}, {}};
    for (Value& value : values_of(*path, *known, reader.given("values")->tree, "'values' of [matrix.seeds]"))
      factor.rows.push_back({{*path, std::move(value)}});
    matrix_.seeds = std::move(factor);
  }

  // A flag overrides the file, but an axis would silently override the flag. (A rehearsal's values override the axis.)
  void refuse_overrides() {
    for (const auto& [key, place] : matrix_.axes) {
      const size_t dot = key.find('.');
      const DraftValue& value = draft_.find(key.substr(0, dot))->values.at(key.substr(dot + 1));
      if (value.position.line > 0 || value.origin == "default" || value.origin == "--rehearse") continue;
      diagnostics_.error(
          "E205", value.position,
          fmt::format(
              "the matrix varies '{}', so no run would have this value; `--select '{}={}'` selects some of its runs",
              key, key, as_read(value.value)),
          {{place, "it is varied here"}});
    }
  }

  const Draft& draft_;
  TableReader top_;
  Diagnostics& diagnostics_;
  const size_t before_ = diagnostics_.count();
  bool unread_ = false;  // a key names a stage that could not be read
  MatrixDraft matrix_;
};

}  // namespace

std::string text_of(const Assignment& assignment, std::string_view without) {
  std::string text;
  for (const auto& [key, value] : assignment) {
    if (key != without) text += key + "=" + value.dump() + "|";
  }
  return text;
}

std::optional<Position> MatrixDraft::place_of(const std::string& parameter, const Value& value) const {
  for (const std::string& key : {parameter + "=" + value.dump(), parameter}) {
    if (const auto found = places.find(key); found != places.end()) return found->second;
  }
  return std::nullopt;
}

MatrixDraft read_matrix(const Draft& draft, Diagnostics& diagnostics) {
  if (!draft.matrix) return {};
  return MatrixReader(draft, diagnostics).read();
}

}  // namespace penstock::pipeline
