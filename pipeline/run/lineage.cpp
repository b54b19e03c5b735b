#include "pipeline/run/lineage.h"

#include <fstream>
#include <thread>

#include "distributed/printable.h"

namespace penstock::pipeline {
namespace {

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Value environment_json() {
  return {{"penstock", PENSTOCK_VERSION},
          {"compiler", "g++ " __VERSION__},
          {"processor", processor_name()},
          {"hardware threads", std::to_string(std::thread::hardware_concurrency())}};
}

Value inputs_json(const Graph& graph, const Node& node) {
  Value inputs = Value::object();
  for (const Input& input : node.inputs) {
    Value sources = Value::array();
    for (const Source& source : input.sources) {
      sources.push_back(source.node < 0 ? distributed::printable_name(source.declared->external.string())
                                        : graph.nodes[source.node].stage() + "." + source.port());
    }
    inputs[input.port()] = std::move(sources);
  }
  return inputs;
}

Value stage_json(const Graph& graph, const NodeResult& result, const Store& store) {
  const Node& node = graph.nodes[result.node];
  Value outputs = Value::object();
  Value attempts = Value::array();
  double seconds = result.seconds;
  if (result.published) {
    for (const PublishedPort& port : result.published->ports) outputs[port.port] = port.digest.hex();
    for (const Attempt& attempt : store.attempts(result.published->action)) {
      Value record = to_json(attempt);
      record.erase("log");
      attempts.push_back(std::move(record));
      if (result.ending == Ending::hit && attempt.exit_code == 0) seconds = attempt.wall_seconds;
    }
  }
  return {{"name", node.stage()},
          {"kind", node.kind().name},
          {"version", node.kind().version},
          {"state", name_of(result.ending)},
          {"reason", result.reason},
          {"message", result.message},
          {"seconds", seconds},
          {"parameters", node.values()},
          {"inputs", inputs_json(graph, node)},
          {"outputs", outputs},
          {"attempts", attempts}};
}

}  // namespace

std::string lineage_of(const Graph& graph, const Run& run, const std::vector<NodeResult>& results, const Store& store) {
  Value stages = Value::array();
  for (const NodeResult& result : results) stages.push_back(stage_json(graph, result, store));
  return Value{{"pipeline", graph.pipeline},
               {"run", run.id},
               {"label", run.label()},
               {"config", distributed::printable_name(graph.config.string())},
               {"environment", environment_json()},
               {"stages", stages}}
      .dump();
}

}  // namespace penstock::pipeline
