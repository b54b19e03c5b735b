// graph: the pipeline as a drawing for dot, mermaid or a program, with the matrix folded into its stages.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "distributed/printable.h"
#include "launch/commands/commands.h"
#include "launch/commands/shared_flags.h"
#include "launch/job/planned_config.h"

namespace penstock::launch {
namespace {

using pipeline::State;
using pipeline::Value;

// A stage of the configuration, or with --expand an instance of it.
struct Box {
  std::string id;
  std::string stage;
  std::string kind;
  size_t count = 0;
  std::map<State, size_t> states;
};

struct Arrow {
  size_t from, to;
  std::string output, input;  // both empty: order only
  auto operator<=>(const Arrow&) const = default;
};

// A file or folder outside that a box reads.
struct Outside {
  std::string path;
  size_t to;
  std::string input;
  auto operator<=>(const Outside&) const = default;
};

struct Drawing {
  std::vector<Box> boxes;
  std::set<Arrow> arrows;
  std::set<Outside> outsides;
};

Drawing draw(const PlannedConfig& planned, bool expand) {
  Drawing drawing;
  std::map<std::string, size_t> known;
  std::vector<size_t> box_of;
  for (size_t index = 0; index < planned.graph.nodes.size(); ++index) {
    const pipeline::Node& node = planned.graph.nodes[index];
    const std::string id = expand ? label_of(planned.graph, static_cast<int>(index)) : node.stage();
    const auto [found, fresh] = known.try_emplace(id, drawing.boxes.size());
    if (fresh) drawing.boxes.push_back({id, node.stage(), node.kind().name, 0, {}});
    Box& box = drawing.boxes[found->second];
    ++box.count;
    ++box.states[planned.plan.nodes[index].state];
    box_of.push_back(found->second);
    for (const pipeline::Input& input : node.inputs) {
      for (const pipeline::Source& source : input.sources) {
        if (source.node < 0)
          drawing.outsides.insert(
              {distributed::printable_name(source.declared->external.string()), found->second, input.port()});
        else
          drawing.arrows.insert({box_of[source.node], found->second, source.port(), input.port()});
      }
    }
    for (const int need : node.needs) drawing.arrows.insert({box_of[need], found->second, "", ""});
  }
  return drawing;
}

std::string title_of(const Box& box) {
  std::string text = box.id;
  if (box.kind != box.stage) text += fmt::format(" ({})", box.kind);
  if (box.count > 1) text += fmt::format(" x{}", box.count);
  return text;
}

// hit, run or mixed: what colours a box.
const char* state_of(const Box& box) {
  return box.states.size() == 1 ? pipeline::name_of(box.states.begin()->first) : "mixed";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}

std::string dot_of(const Drawing& drawing) {
  static const std::map<std::string, std::string> colors = {
      {"hit", "#d3efe5"}, {"run", "#cfe8f7"}, {"adopt", "#fbeec8"}, {"pruned", "#e5e7eb"}, {"mixed", "#f3f4f6"}};
  std::string text =
      "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n";
  for (const Box& box : drawing.boxes)
    text += fmt::format("  {} [label={}, fillcolor=\"{}\"];\n", quoted(box.id), quoted(title_of(box)),
                        colors.at(state_of(box)));
  for (const Outside& one : drawing.outsides) {
    text += fmt::format("  {} [shape=note, style=solid];\n  {} -> {} [label={}];\n", quoted(one.path), quoted(one.path),
                        quoted(drawing.boxes[one.to].id), quoted(one.input));
  }
  for (const Arrow& one : drawing.arrows) {
    text += fmt::format("  {} -> {} [{}];\n", quoted(drawing.boxes[one.from].id), quoted(drawing.boxes[one.to].id),
                        one.output.empty() ? "style=dashed" : "label=" + quoted(one.output));
  }
  return text + "}\n";
}

std::string mermaid_of(const Drawing& drawing) {
  std::string text = "flowchart LR\n";
  for (size_t i = 0; i < drawing.boxes.size(); ++i)
    text += fmt::format("  s{}[{}]:::{}\n", i, quoted(title_of(drawing.boxes[i])), state_of(drawing.boxes[i]));
  std::map<std::string, size_t> files;
  for (const Outside& one : drawing.outsides) {
    const auto [file, fresh] = files.try_emplace(one.path, files.size());
    if (fresh) text += fmt::format("  f{}([{}])\n", file->second, quoted(one.path));
    text += fmt::format("  f{} -->|{}| s{}\n", file->second, one.input, one.to);
  }
  for (const Arrow& one : drawing.arrows) {
    text += one.output.empty() ? fmt::format("  s{} -.-> s{}\n", one.from, one.to)
                               : fmt::format("  s{} -->|{}| s{}\n", one.from, one.output, one.to);
  }
  return text +
         "  classDef hit fill:#d3efe5\n  classDef run fill:#cfe8f7\n  classDef adopt fill:#fbeec8\n  classDef pruned "
         "fill:#e5e7eb\n  classDef mixed fill:#f3f4f6\n";
}

Value json_of(const Drawing& drawing) {
  Value stages = Value::array(), edges = Value::array(), outsides = Value::array();
  for (const Box& box : drawing.boxes) {
    Value states = Value::object();
    for (const auto& [state, count] : box.states) states[pipeline::name_of(state)] = count;
    stages.push_back(
        {{"id", box.id}, {"stage", box.stage}, {"kind", box.kind}, {"instances", box.count}, {"states", states}});
  }
  for (const Arrow& one : drawing.arrows) {
    const bool order_only = one.output.empty();
    edges.push_back({{"from", drawing.boxes[one.from].id},
                     {"to", drawing.boxes[one.to].id},
                     {"output", order_only ? Value(nullptr) : Value(one.output)},
                     {"input", order_only ? Value(nullptr) : Value(one.input)}});
  }
  for (const Outside& one : drawing.outsides)
    outsides.push_back({{"path", one.path}, {"to", drawing.boxes[one.to].id}, {"input", one.input}});
  return {{"stages", stages}, {"edges", edges}, {"outside", outsides}};
}

int graph_command(const ConfigOptions& options, const std::string& format, bool expand,
                  const pipeline::StageTable& kinds) {
  const Drawing drawing = draw(plan_config(options, kinds), expand);
  if (format == "dot") {
    std::cout << dot_of(drawing);
  } else if (format == "mermaid") {
    std::cout << mermaid_of(drawing);
  } else {
    std::cout << json_of(drawing).dump() << '\n';
  }
  return 0;
}

struct GraphFlags {
  ConfigOptions config;
  std::string format = "dot";
  bool expand = false;
};

}  // namespace

void add_graph(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("graph", "the pipeline as a drawing, coloured by what is done");
  const auto flags = std::make_shared<GraphFlags>();
  add_config_flags(*command, flags->config);
  command->add_option("--format", flags->format, "dot, mermaid or json")
      ->check(CLI::IsMember({"dot", "mermaid", "json"}))
      ->type_name("");
  command->add_flag("--expand", flags->expand, "every instance of a matrix apart");
  command->callback([flags, &context] {
    context.code =
        graph_command(flags->config, context.output.json ? "json" : flags->format, flags->expand, context.kinds);
  });
}

}  // namespace penstock::launch
