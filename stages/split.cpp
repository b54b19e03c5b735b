// split: divides the labelled samples into train, validation and test, by rank of a hash of the seed and the sample's
// id.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "distributed/check.h"
#include "pipeline/files.h"
#include "stages/draws.h"
#include "stages/images/csv.h"
#include "stages/images/json_file.h"
#include "stages/kinds.h"
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
    visit("seed", seed, {.help = "seed of the draw", .minimum = 0});
  }
};

using Subsets = std::map<std::string, std::vector<std::string>>;

// Samples in the order of u = H(seed, id). What comes first is drawn first, so a sample that is added moves at most
// those at the borders of the subsets: three, where both shares gain one.
std::vector<std::string> ranked(const std::vector<std::string>& ids, int64_t seed) {
  std::vector<std::pair<uint64_t, std::string>> keyed;
  for (const std::string& id : ids) keyed.emplace_back(Draws(seed, "split", {}, id).bits(0), id);
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::string> order;
  for (const auto& [u, id] : keyed) order.push_back(id);
  return order;
}

// `wanted` of all samples, divided over strata of these sizes as evenly as whole samples allow: each gets the whole
// part of its share, the largest remainders one more (the earlier of equals).
std::vector<size_t> divided(size_t wanted, const std::vector<size_t>& sizes) {
  size_t all = 0, given = 0;
  for (const size_t size : sizes) all += size;
  std::vector<size_t> parts;
  std::vector<std::pair<size_t, size_t>> remainders;  // (what is left of size * wanted / all, place), largest first
  for (const size_t size : sizes) {
    parts.push_back(size * wanted / all);
    given += parts.back();
    remainders.emplace_back(all - size * wanted % all, remainders.size());
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < wanted; ++i, ++given) ++parts[remainders[i].second];
  return parts;
}

// "2/5": the second of five.
struct Fold {
  int64_t number = 0, of = 0;
};
std::optional<Fold> fold_of(const std::string& text) {
  Fold fold;
  int read = 0;
  if (std::sscanf(text.c_str(), "%3ld/%3ld%n", &fold.number, &fold.of, &read) != 2) return std::nullopt;
  const bool whole =
      read == static_cast<int>(text.size()) && fold.of >= 2 && fold.number >= 1 && fold.number <= fold.of;
  return whole ? std::optional(fold) : std::nullopt;
}

// A share of `samples`, to the nearest whole one; a share above 0 is one sample at least.
size_t counted_share(double share, size_t samples) {
  return share == 0 ? 0 : std::max<size_t>(1, static_cast<size_t>(std::llround(share * static_cast<double>(samples))));
}

// Each stratum's samples in the order of their u: its first ones are the test subset, then follows validation (a share,
// or one fold of what the test leaves), the rest trains. Over all strata the shares are exact to one sample.
Subsets draw_subsets(const std::vector<std::vector<std::string>>& strata, const SplitParameters& parameters) {
  std::vector<size_t> sizes;
  size_t samples = 0;
  for (const auto& ids : strata) sizes.push_back(ids.size()), samples += ids.size();
  if (samples == 0) return {};
  size_t test = counted_share(parameters.test, samples), validation = 0;
  const auto fold = fold_of(parameters.fold);
  if (!fold) {
    validation = counted_share(parameters.validation, samples);
    while (test + validation >= samples) --(test > validation ? test : validation);  // train gets one
  }
  const std::vector<size_t> tests = divided(test, sizes);
  std::vector<size_t> left = sizes;
  for (size_t i = 0; i < left.size(); ++i) left[i] -= tests[i];
  const std::vector<size_t> validations = divided(validation, left);
  Subsets subsets;
  size_t left_before = 0;  // of the strata before, without their test samples: folds go on where the last one ended
  for (size_t stratum = 0; stratum < strata.size(); ++stratum) {
    const std::vector<std::string> order = ranked(strata[stratum], parameters.seed);
    for (size_t i = 0; i < order.size(); ++i) {
      const bool tested = i < tests[stratum];
      const bool validated = fold
                                 ? static_cast<int64_t>(left_before + i - tests[stratum]) % fold->of == fold->number - 1
                                 : i < tests[stratum] + validations[stratum];
      subsets[tested ? "test" : validated ? "validation" : "train"].push_back(order[i]);
    }
    left_before += order.size() - tests[stratum];
  }
  return subsets;
}

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
  SplitParameters drawn = parameters;
  if (!subsets["test"].empty()) drawn.test = 0;
  if (!subsets["validation"].empty()) drawn.validation = 0;
  for (auto& [subset, members] : draw_subsets({open}, drawn))
    subsets[subset].insert(subsets[subset].end(), members.begin(), members.end());
  return subsets;
}

// The ids by visual type, or all together.
std::vector<std::vector<std::string>> strata_of(const std::vector<std::string>& ids,
                                                const pipeline::StageContext& context,
                                                const SplitParameters& parameters) {
  if (!row_of(rules(), "split", parameters.by).by_look) return {ids};
  std::map<std::string, std::string> looks;
  const Value metadata = read_json(context.input("metadata") / "metadata.json");
  for (const Value& image : metadata.at("images")) looks[image.at("id")] = image.at("look");
  std::map<std::string, std::vector<std::string>> strata;
  for (const std::string& id : ids) {
    const auto look = looks.find(id);
    PENSTOCK_CHECK(look != looks.end(), "inspect describes every sample; '" + id + "' is not in metadata.json");
    strata[look->second].push_back(id);
  }
  std::vector<std::vector<std::string>> all;
  for (auto& [look, members] : strata) all.push_back(std::move(members));
  return all;
}

// ---- groups ----

using Groups = std::map<std::string, std::string>;  // of each sample that inspect describes, its group

Groups groups_of(const pipeline::StageContext& context) {
  Groups groups;
  const Value metadata = read_json(context.input("metadata") / "metadata.json");
  for (const Value& image : metadata.at("images")) {
    if (image.contains("group")) groups[image.at("id")] = image.at("group");
  }
  return groups;
}

// Groups that are still to be given to a subset, in the order of their u.
using OpenGroups = std::vector<std::vector<std::string>>;

// Takes whole groups, in order, as long as each brings the count of samples nearer to `wanted`: at least one, the first
// that holds at most twice as many or is one of the smallest; and leaves `rest` groups.
std::vector<std::string> take_groups(OpenGroups& open, size_t wanted, size_t rest) {
  std::vector<std::string> taken;
  if (wanted == 0 || open.size() <= rest) return taken;
  const auto smallest = std::min_element(open.begin(), open.end(), [](const auto& a, const auto& b) {
                          return a.size() < b.size();
                        })->size();
  OpenGroups left;
  bool closed = false;
  for (size_t i = 0; i < open.size(); ++i) {
    const size_t size = open[i].size(), lacking = wanted - std::min(wanted, taken.size());
    const bool nearer = taken.empty() ? size <= std::max(2 * wanted, smallest) : size < 2 * lacking;
    closed |= !taken.empty() && !nearer;
    if (!closed && nearer && open.size() - i + left.size() > rest)
      taken.insert(taken.end(), open[i].begin(), open[i].end());
    else
      left.push_back(open[i]);
  }
  open = std::move(left);
  return taken;
}

// The parts of a k-fold: each group goes to the part that has fewest samples so far.
void take_fold(OpenGroups& open, const Fold& fold, Subsets& subsets) {
  std::vector<size_t> sizes(static_cast<size_t>(fold.of));
  for (const auto& group : open) {
    const auto part = std::min_element(sizes.begin(), sizes.end()) - sizes.begin();
    sizes[part] += group.size();
    auto& subset = subsets[part == fold.number - 1 ? "validation" : "train"];
    subset.insert(subset.end(), group.begin(), group.end());
  }
  open.clear();
}

Subsets group_subsets(const std::vector<std::string>& ids, const Groups& groups, const SplitParameters& parameters) {
  std::map<std::string, std::vector<std::string>> members;
  for (const std::string& id : ids) {
    const auto group = groups.find(id);
    if (group == groups.end())
      throw Error(ExitCode::data, "split.by = \"group\": inspect's metadata say no group of the sample '" + id + "'");
    members[group->second].push_back(id);
  }
  const auto fold = fold_of(parameters.fold);
  const size_t parts = fold ? static_cast<size_t>(fold->of) : 1 + (parameters.validation > 0);
  if (members.size() < parts + (parameters.test > 0)) {
    throw Error(ExitCode::data,
                fmt::format("split.by = \"group\": {} labelled samples form only {} groups, which cannot fill "
                            "{} {}; give more pictures, or by = \"random\"",
                            ids.size(), members.size(), parts + (parameters.test > 0),
                            fold ? "folds and a test subset" : "subsets"));
  }
  std::vector<std::string> names;
  for (const auto& [name, of] : members) names.push_back(name);
  OpenGroups open;
  for (const std::string& name : ranked(names, parameters.seed)) open.push_back(members.at(name));
  Subsets subsets;
  subsets["test"] = take_groups(open, counted_share(parameters.test, ids.size()), parts);
  if (fold)
    take_fold(open, *fold, subsets);
  else
    subsets["validation"] = take_groups(open, counted_share(parameters.validation, ids.size()), 1);
  for (const auto& group : open) subsets["train"].insert(subsets["train"].end(), group.begin(), group.end());
  spdlog::info("split: {} samples in {} groups, taken whole: {} train, {} validate, {} test", ids.size(),
               members.size(), subsets["train"].size(), subsets["validation"].size(), subsets["test"].size());
  return subsets;
}

// What belongs together and stands in several subsets: {"held_out": samples that validate or test, "related": those of
// which a relative stands in another subset, "groups": [{"group", "<subset>": [id..]..}]}.
Value leakage_of(const Subsets& subsets, const Groups& groups) {
  std::map<std::string, Subsets> by_group;
  size_t held_out = 0, related = 0;
  for (const auto& [subset, ids] : subsets) {
    held_out += subset == "train" ? 0 : ids.size();
    for (const std::string& id : ids) {
      const auto group = groups.find(id);
      if (group != groups.end()) by_group[group->second][subset].push_back(id);
    }
  }
  Value leaking = Value::array();
  for (const auto& [group, of] : by_group) {
    if (of.size() < 2) continue;
    Value row = {{"group", group}};
    for (const auto& [subset, ids] : of) {
      row[subset] = ids;
      related += subset == "train" ? 0 : ids.size();
    }
    leaking.push_back(std::move(row));
  }
  return {{"held_out", held_out}, {"related", related}, {"groups", leaking}};
}

void say_leakage(const Value& leakage) {
  if (leakage.at("groups").empty()) return;
  spdlog::warn(
      "split: {} of the {} samples that validate or test have a tile or copy of the same picture in another subset "
      "(\"leakage\" in split.json): their scores say too much; by = \"group\" keeps them together",
      leakage.at("related").get<int64_t>(), leakage.at("held_out").get<int64_t>());
}

// The user's own list: rows "id,subset". An id with commas may stand without quotes: the last field is the subset.
Subsets read_list(const std::filesystem::path& file, const std::vector<std::string>& ids) {
  const std::set<std::string> known(ids.begin(), ids.end());
  std::set<std::string> seen;
  Subsets subsets;
  const std::string text = pipeline::read_file(file);
  for (std::string_view rest = text; !rest.empty();) {
    const auto number = 1 + std::count(text.begin(), text.end() - static_cast<std::ptrdiff_t>(rest.size()), '\n');
    const auto refuse = [&](const std::string& fault) {
      throw Error(ExitCode::data, fmt::format("{}:{}: {}", file.string(), number, fault));
    };
    if (rest.starts_with('#')) {
      rest.remove_prefix(std::min(rest.size(), rest.find('\n')));
      rest.remove_prefix(rest.empty() ? 0 : 1);
      continue;
    }
    std::vector<std::string> fields;
    try {
      fields = next_csv_row(rest).value_or(std::vector<std::string>{""});
    } catch (const Error& error) {
      refuse(error.what());
    }
    const std::string subset = fields.back();
    fields.pop_back();
    const std::string id = fmt::format("{}", fmt::join(fields, ","));
    if ((fields.empty() && subset.empty()) || (id == "id" && subset == "subset")) continue;
    if (fields.empty()) refuse("expected 'id,subset', read '" + subset + "'");
    if (subset != "train" && subset != "validation" && subset != "test")
      refuse("the subset '" + subset + "' is none of train, validation, test");
    if (!known.count(id)) refuse("there is no labelled sample '" + id + "'");
    if (!seen.insert(id).second) refuse("the sample '" + id + "' is listed twice");
    subsets[subset].push_back(id);
  }
  if (seen.size() < known.size()) {
    const auto missing =
        std::find_if(known.begin(), known.end(), [&](const std::string& id) { return !seen.count(id); });
    throw Error(ExitCode::data, fmt::format("{}: the labelled sample '{}' is not listed ({} of {} are)", file.string(),
                                            *missing, seen.size(), known.size()));
  }
  return subsets;
}

Subsets drawn_by(const SplitParameters& parameters, const std::vector<std::string>& labelled, const Value& index,
                 const pipeline::StageContext& context) {
  if (context.has("list")) return read_list(context.input("list"), labelled);
  const DrawRule& rule = row_of(rules(), "split", parameters.by);
  if (rule.by_folder) return folder_subsets(labelled, index, parameters);
  if (rule.by_group) return group_subsets(labelled, groups_of(context), parameters);
  return draw_subsets(strata_of(labelled, context, parameters), parameters);
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
  if (labelled.size() < wanted) {
    throw Error(ExitCode::data, fmt::format("{} labelled samples cannot fill {} {}; give more images with masks, or {}",
                                            labelled.size(), wanted, fold ? "folds and a test subset" : "subsets",
                                            fold ? "fewer folds" : "set validation or test to 0"));
  }
  Subsets drawn = drawn_by(parameters, labelled, index, context);
  for (auto& [subset, ids] : drawn) {
    std::sort(ids.begin(), ids.end());
    subsets[subset] = ids;
  }
  const std::string by = context.has("list") ? "list" : parameters.by;
  Value split = {{"schema", 1}, {"seed", parameters.seed}, {"by", by}, {"subsets", subsets}};
  if (fold) split["fold"] = parameters.fold;
  if (context.has("metadata")) {
    split["leakage"] = leakage_of(drawn, groups_of(context));
    say_leakage(split["leakage"]);
  }
  write_json(context.output("index") / "split.json", split);
}

}  // namespace

pipeline::StageKind split_kind() {
  pipeline::StageKind kind;
  kind.name = "split";
  kind.version = 3;  // says what belongs together and stands in several subsets
  kind.summary = "divides the samples into train, validation and test, each by its own id";
  kind.inputs = {
      {.name = "shards", .help = "shard.shards"},
      {.name = "metadata", .help = "inspect.metadata", .optional = true},
      {.name = "list", .help = "a CSV of your own, lines 'id,subset', instead of the draw", .optional = true}};
  kind.outputs = {{.name = "index", .help = "split.json: the ids of each subset"}};
  kind.parameters = pipeline::specifications_of<SplitParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    const auto parameters = pipeline::read_parameters<SplitParameters>(view.values);
    if (parameters.validation + parameters.test >= 1) {
      problems.push_back({"test", fmt::format("validation {} and test {} leave nothing to train on",
                                              parameters.validation, parameters.test)});
    }
    const auto has = [&](const char* input) {
      return std::find(view.inputs.begin(), view.inputs.end(), input) != view.inputs.end();
    };
    const DrawRule& rule = row_of(rules(), "split", parameters.by);
    if ((rule.by_look || rule.by_group) && !has("metadata") && !has("list"))
      problems.push_back(
          {"by", fmt::format("by = \"{}\" needs {}: inputs = {{ metadata = \"inspect.metadata\" }}", rule.name,
                             rule.by_look ? "the visual types" : "the groups that inspect finds")});
    if (!parameters.fold.empty() && !fold_of(parameters.fold))
      problems.push_back(
          {"fold", fmt::format("fold is the number of a part and how many there are, as \"2/5\", at least "
                               "two; is \"{}\"",
                               parameters.fold)});
  };
  kind.body = [] { return pipeline::body_of(split); };
  return kind;
}

}  // namespace penstock::stages
