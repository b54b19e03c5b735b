// Every field of every real stage kind's key, flipped once: explain names exactly that field. What affects no output,
// flipped, runs nothing. No body runs: what was published is pretended.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "pipeline/config/config.h"
#include "pipeline/files.h"
#include "pipeline/plan/explain.h"
#include "pipeline/syntax/diagnostic.h"
#include "stages/kinds.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using namespace pipeline;
using Fields = std::vector<std::string>;

// One stage of a kind, each of its inputs a file, published once with its defaults.
class Published {
 public:
  // `more`: lines of the stage, beside its defaults.
  explicit Published(const std::string& kind, const std::string& more = "") : kind_(kind) {
    std::string inputs, parameters = more;
    for (const std::string& port : ports()) {
      write(port, "bytes of " + port);
      inputs += (inputs.empty() ? "" : ", ") + port + " = \"file:" + port + "\"";
    }
    if (kind == "command")
      parameters = "command = [\"cp\", \"{in}\", \"{out}\"]\noutputs = [\"out\"]\nenv = [\"PENSTOCK_TEST_VARIABLE\"]\n";
    std::ofstream(folder_.path() / "pipeline.toml")
        << "schema = 1\n[pipeline]\nname = \"x\"\n[stage." << kind << "]\ninputs = { " << inputs << " }\n"
        << parameters;
    publish();
  }

  const StageKind& kind() const { return *find_kind(table_, kind_); }
  StageKind& mutable_kind() { return const_cast<StageKind&>(kind()); }
  Fields ports() const {
    if (kind_ == "command") return {"in", "more"};
    Fields names;
    for (const Port& port : kind().inputs) names.push_back(port.name);
    return names;
  }
  void write(const std::string& port, const std::string& bytes) const { std::ofstream(folder_.path() / port) << bytes; }

  // The fields that explain names, or {"hit"}. Throws ConfigError when the configuration is refused.
  Fields named(const std::vector<std::string>& sets = {}) const {
    const Graph graph = load(sets);
    const Store store(graph.store, Store::Mode::read_only);
    StatCache inputs(folder_.path() / "cache");
    const Plan plan = make_plan(graph, {}, store, inputs);
    if (plan.nodes.front().state == State::hit) return {"hit"};
    Fields fields;
    for (const Difference& one : Explainer(graph, plan, store).why(0).differences) fields.push_back(one.field);
    return fields;
  }

 private:
  Graph load(const std::vector<std::string>& sets) const {
    ConfigRequest request;
    request.file = folder_.path() / "pipeline.toml";
    request.store = folder_.path() / "store";
    request.sets = sets;
    return std::move(load_config(request, table_).graph);
  }
  void publish() const {
    const Graph graph = load({});
    Store store(graph.store, Store::Mode::read_write);
    StatCache inputs(folder_.path() / "cache");
    const Plan plan = make_plan(graph, {}, store, inputs);
    const KeyFields fields = action_fields(graph, 0, plan, Publications(1));
    Fields names;
    std::vector<PublishedPort> outputs;
    for (const Port& port : graph.nodes.front().declaration->output_ports) {
      names.push_back(port.name);
      outputs.push_back({port.name, {}, port.is_volatile});
    }
    const fs::path staging = store.make_staging(fields.key(), names);
    for (const std::string& name : names) write_file(staging / name / "file", name);
    store.commit(staging, {{kind_, fields, outputs}, plan.nodes.front().recipe, false});
  }

  TemporaryFolder folder_;
  StageTable table_ = stage_table();
  std::string kind_;
};

// Legal values near the default, the likeliest first; the kind's own checks may refuse some.
std::vector<Value> others(const Specification& parameter) {
  const Value& is = parameter.fallback;
  std::vector<Value> all;
  if (is.is_boolean()) all = {!is.get<bool>()};
  if (is.is_number_integer())
    all = {is.get<int64_t>() + 1, is.get<int64_t>() * 2, is.get<int64_t>() - 1,
           static_cast<int64_t>(parameter.about.minimum.value_or(0))};
  if (is.is_number_float()) all = {is.get<double>() / 2, is.get<double>() + 0.25};
  if (is.is_string())
    all = {is.get<std::string>() + "x", "1/2", "{id}", 0.5, static_cast<int64_t>(parameter.about.minimum.value_or(1))};
  if (is.is_array()) all = {Value::array(), Value::array({"x"}), Value::array({1})};
  if (is.is_array()) all.emplace_back(parameter.about.choices);
  for (const std::string& choice : parameter.about.choices) {
    all.emplace_back(choice);
    all.push_back(Value::array({choice}));
  }
  std::erase_if(all, [&](const Value& one) { return one == is || problem_with(parameter, one); });
  return all;
}

// What a stage must say so that another value of this parameter is not refused as one without effect.
std::string needed_by(const std::string& kind, const std::string& parameter) {
  const bool own_size = kind == "resize" && (parameter == "scale" || parameter == "object_diameter");
  if (parameter.starts_with("augmentation.")) return "augment = [\"" + parameter.substr(13) + "\"]\n";
  if (parameter == "freeze_epochs") return "freeze = \"encoder\"\n";
  if (parameter.starts_with("plateau.")) return "schedule = \"plateau\"\n";
  if (parameter == "border_radius" || parameter.ends_with(".border")) return "targets = [\"mask\", \"border\"]\n";
  if (parameter == "separation.sigma") return "separation = { weight = 10 }\n";
  if (parameter == "interior_radius" || parameter.ends_with(".interior")) return "targets = [\"mask\", \"interior\"]\n";
  if (parameter == "distance_limit" || parameter.ends_with(".distance")) return "targets = [\"mask\", \"distance\"]\n";
  if (kind == "split" && parameter != "unlisted" && parameter != "unnamed_subsets")
    return "unnamed_subsets = \"draw\"\n";
  if (parameter.ends_with(".horizontal") || parameter.ends_with(".vertical"))
    return "targets = [\"mask\", \"horizontal\", \"vertical\"]\n";
  if (parameter.starts_with("percentiles.")) return "normalise = \"percentile\"\n";
  return own_size ? "mode = \"native\"\n" : "";
}

// Sets it to the first other value that the whole configuration takes.
std::optional<Fields> flipped(const Published& stage, const Specification& parameter) {
  for (const Value& value : others(parameter)) {
    try {
      return stage.named({stage.kind().name + "." + parameter.name + "=" + value.dump()});
    } catch (const ConfigError&) {
      // does not fit the others; the next
    }
  }
  return std::nullopt;
}

class KeyFieldsOf : public testing::TestWithParam<std::string> {};

TEST_P(KeyFieldsOf, EachParameterIsNamedWhenItChangesTheOutputAndRunsNothingWhenNot) {
  const Published stage(GetParam());
  ASSERT_EQ(stage.named(), Fields{"hit"});
  for (const Specification& parameter : stage.kind().parameters) {
    if (GetParam() == "command") continue;  // its parameters declare ports; see below
    const std::string needed = needed_by(GetParam(), parameter.name);
    const auto fields = needed.empty() ? flipped(stage, parameter) : flipped(Published(GetParam(), needed), parameter);
    ASSERT_TRUE(fields) << parameter.name << ": no other value is legal";
    EXPECT_EQ(*fields, parameter.about.affects_output ? Fields{"parameter " + parameter.name} : Fields{"hit"})
        << parameter.name;
  }
}

TEST_P(KeyFieldsOf, EachInputIsNamed) {
  const Published stage(GetParam());
  for (const std::string& port : stage.ports()) {
    stage.write(port, "other bytes");
    EXPECT_EQ(stage.named(), Fields{"input " + port});
    stage.write(port, "bytes of " + port);
    EXPECT_EQ(stage.named(), Fields{"hit"}) << "taken back";
  }
}

TEST_P(KeyFieldsOf, SwappedInputsAreBothNamed) {
  const Published stage(GetParam());
  const Fields ports = stage.ports();
  for (size_t port = 1; port < ports.size(); ++port) {
    stage.write(ports[port - 1], "bytes of " + ports[port]);
    stage.write(ports[port], "bytes of " + ports[port - 1]);
    EXPECT_EQ(stage.named(), (Fields{"input " + ports[port - 1], "input " + ports[port]}));
    for (const std::string& name : {ports[port - 1], ports[port]}) stage.write(name, "bytes of " + name);
  }
}

TEST_P(KeyFieldsOf, ItsVersionIsNamed) {
  Published stage(GetParam());
  ++stage.mutable_kind().version;
  EXPECT_EQ(stage.named(), Fields{"version"});
}

TEST_P(KeyFieldsOf, AChangedDefaultIsNamed) {
  Published stage(GetParam());
  if (GetParam() == "command") return;  // has no useful default
  for (Specification& parameter : stage.mutable_kind().parameters) {
    const Value before = parameter.fallback;
    for (const Value& value : others(parameter)) {
      parameter.fallback = value;
      try {
        EXPECT_EQ(stage.named(), parameter.about.affects_output ? Fields{"parameter " + parameter.name} : Fields{"hit"})
            << parameter.name;
        break;
      } catch (const ConfigError&) {
        // does not fit the others; the next
      }
    }
    parameter.fallback = before;
  }
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const StageKind& kind : stage_table()) names.push_back(kind.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Kinds, KeyFieldsOf, testing::ValuesIn(kind_names()),
                         [](const auto& kind) { return kind.param; });

// ---- command ----

TEST(KeyFieldsOfCommand, ArgumentsOutputsVariablesAndProgramAreNamed) {
  unsetenv("PENSTOCK_TEST_VARIABLE");
  const Published stage("command");
  EXPECT_EQ(stage.named({R"(command.command=["cp", "-r", "{in}", "{out}"])"}), Fields{"parameter command"});
  EXPECT_EQ(stage.named({R"(command.command=["cp", "{in}{out}"])"}), Fields{"parameter command"})
      << "the same letters divided otherwise";
  EXPECT_EQ(stage.named({R"(command.command=["mv", "{in}", "{out}"])"}),
            (Fields{"parameter command", "environment program"}))
      << "another program has other bytes";
  EXPECT_EQ(stage.named({R"(command.outputs=["out", "more_out"])"}), Fields{"parameter outputs"});
  EXPECT_EQ(stage.named({R"(command.env=[])"}),
            (Fields{"parameter env", "environment variable PENSTOCK_TEST_VARIABLE"}));
  setenv("PENSTOCK_TEST_VARIABLE", "", 1);
  EXPECT_EQ(stage.named(), Fields{"environment variable PENSTOCK_TEST_VARIABLE"}) << "empty is not unset";
  unsetenv("PENSTOCK_TEST_VARIABLE");
  EXPECT_EQ(stage.named(), Fields{"hit"});
}

TEST(KeyFieldsOfCommand, TheProgramsOwnBytesAreNamed) {
  TemporaryFolder bin;
  const std::string path = std::getenv("PATH");
  const auto install = [&](const std::string& text) {
    write_file(bin.path() / "cp", "#!/bin/sh\n" + text + "\n");
    fs::permissions(bin.path() / "cp", fs::perms::owner_all);
  };
  install("true");
  setenv("PATH", (bin.path().string() + ":" + path).c_str(), 1);
  const Published stage("command");
  install("true # a new version");
  EXPECT_EQ(stage.named(), Fields{"environment program"});
  setenv("PATH", path.c_str(), 1);
}

}  // namespace
}  // namespace penstock::stages
