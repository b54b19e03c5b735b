// split: divides the labelled samples into train, validation and test, by rank of a hash of the seed and the sample's
// id.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "distributed/check.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/kinds.h"
#include "stages/packs/data_summary.h"
#include "stages/packs/json_file.h"
#include "stages/packs/quarantine.h"
#include "stages/split_list.h"
#include "stages/subset_draws.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// How samples are drawn for the subsets.
struct DrawRule {
  std::string name, help;
  bool by_look = false;    // each visual type is divided on its own
  bool by_folder = false;  // the data's own folders decide
  bool by_group = false;   // what inspect says belongs together stays together
};
const std::vector<DrawRule>& rules() {
  static const std::vector<DrawRule> all = {
      {.name = "random", .help = "all alike"},
      {.name = "stratified", .help = "each visual type that inspect tells apart in the same shares", .by_look = true},
      {.name = "folders",
       .help = "as the data's own folders say (train, validation, test); what they leave open is drawn from train",
       .by_folder = true},
      {.name = "group",
       .help =
           "groups of inspect (tiles of one picture, copies) are taken whole, each by the draw of its smallest id, so "
           "that shares are as near as whole groups allow",
       .by_group = true},
  };
  return all;
}

struct SplitParameters {
  std::string by = "random";
  double validation = 0.1;
  double test = 0.1;
  std::string fold;
  std::string unlisted = "refuse";
  std::string unnamed_subsets = "empty";
  int64_t seed = 0;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("by", by,
          {.help = "how samples are drawn: " + help_of(rules()), .choices = names_of(rules()), .as_before = "random"});
    visit("validation", validation,
          {.help = "share of the labelled samples for validation, which chooses the threshold and the best epoch",
           .minimum = 0,
           .maximum = 0.9});
    visit("test", test,
          {.help = "share of the labelled samples for the test, which chooses nothing", .minimum = 0, .maximum = 0.9});
    visit("fold", fold,
          {.help =
               "k-fold, as \"2/5\": what the test leaves is cut into 5 parts, of which the second validates; empty: by "
               "the share `validation`",
           .as_before = ""});
    visit("unlisted", unlisted,
          {.help = "labelled samples that the input list does not name: refuse, or leave_out (they are in no subset)",
           .choices = {"refuse", "leave_out"},
           .as_before = "refuse"});
    visit(
        "unnamed_subsets", unnamed_subsets,
        {.help =
             "with the input list, what of validation and test it does not name: empty, or draw (of its train samples "
             "the shares `validation` and `test`, as `by`, `fold` and `seed` say)",
         .choices = {"empty", "draw"},
         .as_before = "empty"});
    visit("seed", seed, {.help = "seed of the draw", .minimum = 0});
  }
  Shares shares() const { return {validation, test, fold_of(fold), seed}; }
};

// By the folders that samples lie in. Where none says validation, or test, and a share is wanted, it is drawn from
// train; samples that lie in none train.
Subsets folder_subsets(const std::vector<std::string>& ids, const Value& index, const SplitParameters& parameters) {
  std::map<std::string, std::string> folder;
  for (const Value& sample : index.at("samples")) {
    if (sample.contains("subset")) folder[sample.at("id")] = sample.at("subset");
  }
  if (folder.empty()) {
    throw Error(
        ExitCode::data,
        "split.by = \"folders\": no sample lies in a folder that says train, validation or test; by = \"random\" "
        "draws");
  }
  Subsets subsets;
  std::vector<std::string> open;
  for (const std::string& id : ids) {
    const auto found = folder.find(id);
    const std::string subset = found == folder.end() ? "train" : found->second;
    (subset == "train" ? open : subsets[subset]).push_back(id);
  }
  Shares drawn = parameters.shares();
  if (!subsets["test"].empty()) drawn.test = 0;
  if (!subsets["validation"].empty()) drawn.validation = 0;
  for (auto& [subset, members] : draw_subsets({open}, drawn))
    subsets[subset].insert(subsets[subset].end(), members.begin(), members.end());
  return subsets;
}

using Strata = std::vector<std::vector<std::string>>;

// The ids by visual type.
Strata strata_of(const std::vector<std::string>& ids, const Value& metadata) {
  const auto looks = looks_of(metadata);
  std::map<std::string, std::vector<std::string>> strata;
  for (const std::string& id : ids) {
    const auto look = looks.find(id);
    PENSTOCK_CHECK(look != looks.end(), "inspect describes every sample; '" + id + "' is not in metadata.json");
    strata[look->second].push_back(id);
  }
  Strata all;
  for (auto& [look, members] : strata) all.push_back(std::move(members));
  return all;
}

// ---- groups ----

Groups groups_of(const Value& metadata) {
  Groups groups;
  for (const Value& image : metadata.at("images")) {
    if (image.contains("group")) groups[image.at("id")] = image.at("group");
  }
  return groups;
}

Subsets group_subsets(const std::vector<std::string>& ids, const Groups& groups, const SplitParameters& parameters) {
  Subsets subsets = draw_groups(ids, groups, parameters.shares());
  std::set<std::string> names;
  for (const std::string& id : ids) names.insert(groups.at(id));
  spdlog::info("split: {} samples in {} groups, taken whole: {} train, {} validate, {} test", ids.size(), names.size(),
               subsets["train"].size(), subsets["validation"].size(), subsets["test"].size());
  return subsets;
}

void say_leakage(const Value& leakage) {
  if (leakage.at("groups").empty()) return;
  spdlog::warn(
      "split: {} of the {} samples that validate or test have a tile or copy of the same picture in another subset "
      "(\"leakage\" in split.json): their scores say too much; by = \"group\" keeps them together",
      leakage.at("related").get<int64_t>(), leakage.at("held_out").get<int64_t>());
}

// By the user's own list.
Subsets listed_subsets(const SplitParameters& parameters, const std::vector<std::string>& labelled, const Value& index,
                       const std::filesystem::path& file) {
  SplitList list = read_split_list(file, labelled, left_out_of(index));
  if (!list.unlisted.empty() && parameters.unlisted == "refuse") {
    throw Error(
        ExitCode::data,
        fmt::format("{}: the labelled sample '{}' is not listed ({} of {} are); unlisted = \"leave_out\" leaves "
                    "out what is not",
                    file.string(), list.unlisted.front(), labelled.size() - list.unlisted.size(), labelled.size()));
  }
  if (list.subsets.empty())
    throw Error(ExitCode::data,
                fmt::format("{}: it names none of the {}", file.string(),
                            pipeline::counted(static_cast<int64_t>(labelled.size()), "labelled sample")));
  const auto say = [](const std::vector<std::string>& names, const char* noun, const char* what) {
    if (names.empty()) return;
    spdlog::warn("split: {} {} {} ({}{})", pipeline::counted(static_cast<int64_t>(names.size()), noun),
                 names.size() == 1 ? "is" : "are", what, distributed::printable_name(names.front()),
                 names.size() > 1 ? ", ..." : "");
  };
  say(list.unlisted, "labelled sample", "not listed, and in no subset");
  say(list.left_out, "listed sample", "left out, as on_bad says");
  say(list.unread, "column", "in the list beside id and subset, and not read");
  return std::move(list.subsets);
}

Subsets drawn_by(const SplitParameters& parameters, const std::vector<std::string>& labelled, const Value& index,
                 const Value& metadata) {
  const DrawRule& rule = row_of(rules(), "split", parameters.by);
  if (rule.by_folder) return folder_subsets(labelled, index, parameters);
  if (rule.by_group) return group_subsets(labelled, groups_of(metadata), parameters);
  return draw_subsets(rule.by_look ? strata_of(labelled, metadata) : Strata{labelled}, parameters.shares());
}

Subsets listed_by(SplitParameters parameters, const std::vector<std::string>& labelled, const Value& index,
                  const Value& metadata, const std::filesystem::path& file) {
  Subsets listed = listed_subsets(parameters, labelled, index, file);
  if (parameters.unnamed_subsets == "empty") return listed;
  if (!listed["validation"].empty()) parameters.validation = 0, parameters.fold.clear();
  if (!listed["test"].empty()) parameters.test = 0;
  if (parameters.validation == 0 && parameters.fold.empty() && parameters.test == 0) {
    throw Error(ExitCode::data,
                fmt::format("{}: unnamed_subsets = \"draw\" has nothing to draw: the list names validation and "
                            "test, or their shares are 0",
                            file.string()));
  }
  for (auto& [subset, ids] : drawn_by(parameters, listed["train"], index, metadata)) {
    if (subset == "train" || listed[subset].empty()) listed[subset] = std::move(ids);
  }
  return listed;
}

void split(pipeline::StageContext& context) {
  const auto parameters = pipeline::read_parameters<SplitParameters>(context.values);
  std::vector<std::string> labelled;
  Value subsets = {{"train", Value::array()},
                   {"validation", Value::array()},
                   {"test", Value::array()},
                   {"unlabelled", Value::array()}};
  const Value index = read_json(context.input("shards") / "index.json");
  for (const Value& sample : index.at("samples")) {
    if (sample.at("labelled").get<bool>())
      labelled.push_back(sample.at("id"));
    else
      subsets["unlabelled"].push_back(sample.at("id"));
  }
  const auto fold = fold_of(parameters.fold);
  const auto validating = static_cast<size_t>(fold ? fold->of : 1 + (parameters.validation > 0));
  const size_t wanted = validating + (parameters.test > 0);
  if (labelled.size() < wanted && !context.has("list")) {
    throw Error(ExitCode::data, fmt::format("{} labelled samples cannot fill {} {}; give more images with masks, or {}",
                                            labelled.size(), wanted, fold ? "folds and a test subset" : "subsets",
                                            fold ? "fewer folds" : "set validation or test to 0"));
  }
  const Value metadata =
      context.has("metadata") ? read_json(context.input("metadata") / "metadata.json") : Value(nullptr);
  Subsets drawn = context.has("list") ? listed_by(parameters, labelled, index, metadata, context.input("list"))
                                      : drawn_by(parameters, labelled, index, metadata);
  for (auto& [subset, ids] : drawn) {
    std::sort(ids.begin(), ids.end());
    subsets[subset] = ids;
  }
  const std::string by = context.has("list") ? "list" : parameters.by;
  Value split = {{"schema", 1}, {"seed", parameters.seed}, {"by", by}, {"subsets", subsets}};
  if (fold) split["fold"] = parameters.fold;
  if (!metadata.is_null()) {
    split["leakage"] = leakage_of(drawn, groups_of(metadata));
    say_leakage(split["leakage"]);
  }
  write_json(context.output("index") / "split.json", split);
}

// What the input list decides, and what is for it alone.
void check_list(const pipeline::CheckView& view, const SplitParameters& parameters, pipeline::Problems& problems) {
  const bool draws = parameters.unnamed_subsets == "draw";
  if (!view.has("list")) {
    const std::vector<std::pair<const char*, bool>> idle = {{"unlisted", parameters.unlisted != "refuse"},
                                                            {"unnamed_subsets", draws}};
    for (const auto& [name, is] : idle) {
      if (is)
        problems.push_back(
            {name, fmt::format("{} has no effect without the input list: take it out, or give a list", name)});
    }
    return;
  }
  const auto given = [&](const char* name) {
    return std::find(view.given.begin(), view.given.end(), name) != view.given.end();
  };
  // What a base of this configuration sets is undone by the default.
  const std::vector<std::tuple<const char*, bool, const char*>> idle = {
      {"by", parameters.by != "random" && !draws, "take it out, or set it to \"random\""},
      {"validation", given("validation") && parameters.validation > 0 && !draws, "take it out, or set it to 0"},
      {"test", given("test") && parameters.test > 0 && !draws, "take it out, or set it to 0"},
      {"fold", !parameters.fold.empty() && !draws, "take it out, or set it to \"\""},
      {"seed", parameters.seed != 0 && !draws, "take it out, or set it to 0"}};
  for (const auto& [name, is, undo] : idle) {
    if (!is) continue;
    problems.push_back(
        {name, fmt::format("{} has no effect with the input list, which says each sample's subset: {}, or "
                           "set unnamed_subsets to \"draw\"",
                           name, undo)});
  }
  if (draws && row_of(rules(), "split", parameters.by).by_folder)
    problems.push_back(
        {"by", "by = \"folders\" does not go with the input list: the one or the other says the subsets"});
}

void check_split(const pipeline::CheckView& view, pipeline::Problems& problems) {
  const auto parameters = pipeline::read_parameters<SplitParameters>(view.values);
  if (parameters.validation + parameters.test >= 1) {
    problems.push_back({"test", fmt::format("validation {} and test {} leave nothing to train on",
                                            parameters.validation, parameters.test)});
  }
  check_list(view, parameters, problems);
  const DrawRule& rule = row_of(rules(), "split", parameters.by);
  if ((rule.by_look || rule.by_group) && !view.has("metadata") &&
      (!view.has("list") || parameters.unnamed_subsets == "draw"))
    problems.push_back(
        {"by", fmt::format("by = \"{}\" needs {}: inputs = {{ metadata = \"inspect.metadata\" }}", rule.name,
                           rule.by_look ? "the visual types" : "the groups that inspect finds")});
  if (!parameters.fold.empty() && !fold_of(parameters.fold))
    problems.push_back({"fold", fmt::format("fold is the number of a part and how many there are, as \"2/5\", at least "
                                            "two; is \"{}\"",
                                            parameters.fold)});
}

}  // namespace

pipeline::StageKind split_kind() {
  pipeline::StageKind kind;
  kind.name = "split";
  kind.version = 3;  // says what belongs together and stands in several subsets
  kind.summary = "divides the samples into train, validation and test, each by its own id";
  kind.inputs = {{.name = "shards", .help = "shard.shards"},
                 {.name = "metadata", .help = "inspect.metadata", .optional = true},
                 {.name = "list",
                  .help = "a CSV of your own instead of the draw: lines 'id,subset', or columns of these names",
                  .optional = true}};
  kind.outputs = {{.name = "index", .help = "split.json: the ids of each subset"}};
  kind.parameters = pipeline::specifications_of<SplitParameters>();
  kind.check = check_split;
  kind.body = [] { return pipeline::body_of(split); };
  return kind;
}

}  // namespace penstock::stages
