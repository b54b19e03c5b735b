// split: divides the labelled samples into train, validation and test. A sample's subset depends on the seed and its
// own id only, so adding images moves none of the old ones.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "pipeline/files.h"
#include "stages/draws.h"
#include "stages/images/csv.h"
#include "stages/images/json_file.h"
#include "stages/kinds.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

struct SplitParameters {
  double validation = 0.1;
  double test = 0.1;
  int64_t seed = 0;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("validation", validation,
          {.help = "share of the labelled samples for validation, which chooses the threshold and the best epoch",
           .minimum = 0,
           .maximum = 0.9});
    visit("test", test,
          {.help = "share of the labelled samples for the test, which chooses nothing", .minimum = 0, .maximum = 0.9});
    visit("seed", seed, {.help = "seed of the draw", .minimum = 0});
  }
};

using Subsets = std::map<std::string, std::vector<std::string>>;

// u in [0, 1) decides: [0, test) tests, the next `validation` share validates, the rest trains.
Subsets draw_subsets(const std::vector<std::string>& ids, const SplitParameters& parameters) {
  struct Interval {
    const char* subset;
    double low, high;
  };
  const std::vector<Interval> intervals = {{"test", 0, parameters.test},
                                           {"validation", parameters.test, parameters.test + parameters.validation},
                                           {"train", parameters.test + parameters.validation, 1}};
  std::map<std::string, double> u;
  for (const std::string& id : ids) u[id] = Draws(parameters.seed, "split", {}, id).uniform(0);
  Subsets subsets;
  for (const auto& [id, value] : u) {
    for (const Interval& interval : intervals) {
      if (value >= interval.low && value < interval.high) subsets[interval.subset].push_back(id);
    }
  }
  // A subset with a share above 0 is never empty: the nearest sample of a subset of two or more moves in.
  for (const Interval& interval : intervals) {
    if (interval.high <= interval.low || !subsets[interval.subset].empty()) continue;
    const auto distance = [&](const std::string& id) {
      return std::max({interval.low - u[id], u[id] - interval.high, 0.0});
    };
    std::string nearest;
    std::string from;
    for (const auto& [subset, members] : subsets) {
      if (members.size() < 2) continue;
      for (const std::string& id : members) {
        if (nearest.empty() || distance(id) < distance(nearest)) nearest = id, from = subset;
      }
    }
    if (nearest.empty()) continue;
    std::erase(subsets[from], nearest);
    subsets[interval.subset].push_back(nearest);
  }
  return subsets;
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
  const size_t wanted = size_t{1} + (parameters.validation > 0) + (parameters.test > 0);
  if (labelled.size() < wanted) {
    throw Error(
        ExitCode::data,
        fmt::format(
            "{} labelled samples cannot fill {} subsets; give more images with masks, or set validation or test to 0",
            labelled.size(), wanted));
  }
  Subsets drawn = context.has("list") ? read_list(context.input("list"), labelled) : draw_subsets(labelled, parameters);
  for (auto& [subset, ids] : drawn) {
    std::sort(ids.begin(), ids.end());
    subsets[subset] = ids;
  }
  write_json(context.output("index") / "split.json", {{"schema", 1}, {"seed", parameters.seed}, {"subsets", subsets}});
}

}  // namespace

pipeline::StageKind split_kind() {
  pipeline::StageKind kind;
  kind.name = "split";
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
  };
  kind.body = [] { return pipeline::body_of(split); };
  return kind;
}

}  // namespace penstock::stages
