// Stage kinds with bodies of a few lines, and a workshop that runs a configuration of them with threads as ranks.
#pragma once

#include <spdlog/spdlog.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "distributed/local_communicator.h"
#include "pipeline/config/config.h"
#include "pipeline/files.h"
#include "pipeline/run/lineage.h"
#include "pipeline/run/runner.h"
#include "process.h"
#include "temporary_folder.h"

namespace penstock::pipeline {

// How often each fake body ran, over all ranks.
struct Calls {
  std::mutex mutex;
  std::map<std::string, int> count;
  void add(const std::string& name) {
    const std::lock_guard lock(mutex);
    ++count[name];
  }
};

struct WriteParameters {
  std::string text = "hello";
  int64_t version_of_nothing = 1;  // affects no output
  std::string fail;
  void describe(ParameterVisitor& visit) {
    visit("text", text, {.help = "what is written"});
    visit("speed", version_of_nothing,
          {.help = "changes nothing", .minimum = 1, .maximum = 9, .affects_output = false});
    visit("fail", fail, {.help = "message to fail with", .affects_output = false});
  }
};

// Work in units, as training in epochs: with progress, scores, a family and failures.
struct LearnParameters {
  int64_t units = 3;
  double skill = 0.5;    // the score after unit u is skill * u
  int64_t fail_at = 0;   // the unit at which it fails; 0: never
  int64_t failures = 1;  // how often, counted over attempts
  void describe(ParameterVisitor& visit) {
    visit("units", units, {.help = "units of work", .minimum = 1});
    visit("skill", skill, {.help = "score a unit"});
    visit("fail_at", fail_at, {.help = "unit to fail at", .affects_output = false});
    visit("failures", failures, {.help = "how often to fail", .affects_output = false});
  }
};

inline int64_t number_in(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? std::stoll(read_file(file)) : 0;
}

inline void learn(StageContext& context, Calls& calls) {
  const auto parameters = read_parameters<LearnParameters>(context.values);
  int64_t done = number_in(context.progress / "units");
  if (done == 0) {
    for (const auto& relative : context.relatives) done = std::max(done, number_in(relative / "units"));
  }
  context.ranks.broadcast(distributed::buffer_of(&done, 1), 0, "where to begin");
  for (int64_t unit = done + 1; unit <= parameters.units; ++unit) {
    if (context.ranks.rank() == 0) calls.add("unit");
    const std::filesystem::path failed = context.progress / "failed";
    const bool fails = unit == parameters.fail_at && number_in(failed) < parameters.failures;
    context.ranks.barrier("a unit");
    if (fails) {
      if (context.ranks.rank() == 0) write_file(failed, std::to_string(number_in(failed) + 1));
      throw Error(ExitCode::data, "unit " + std::to_string(unit) + " went wrong");
    }
    uint8_t given_up = 0;
    if (context.ranks.rank() == 0) {
      write_file(context.progress / "units", std::to_string(unit));
      const double score = parameters.skill * static_cast<double>(unit);
      given_up =
          context.scores != nullptr && !context.scores->report(unit, {{"skill", score}}, unit == parameters.units);
    }
    context.ranks.broadcast(distributed::buffer_of(&given_up, 1), 0, "whether to go on");
    if (given_up) return;
  }
  if (context.ranks.rank() == 0) {
    calls.add("learn");
    write_file(context.output("model") / "model.txt",
               std::to_string(parameters.skill) + " " + std::to_string(parameters.units) + "\n");
    write_file(context.output("ranks") / "ranks.txt", std::to_string(context.ranks.size()) + "\n");
  }
}

struct UpperParameters {
  int64_t repeat = 1;
  void describe(ParameterVisitor& visit) { visit("repeat", repeat, {.help = "how often", .minimum = 1, .maximum = 5}); }
};

// One sample a line of the input file; each becomes its reverse. Buckets of about two samples.
class ReverseWork : public SharedWork {
 public:
  ReverseWork(StageContext& context, Calls& calls) : output_(context.output("lines")), calls_(calls) {
    std::ifstream in(context.input("text") / "text.txt");
    for (std::string line; std::getline(in, line);) lines_.push_back(line);
  }
  std::vector<Sample> samples(int) override {
    std::vector<Sample> all;
    for (const std::string& line : lines_) all.push_back({line, {{"text", digest_of(line)}}});
    return all;
  }
  int samples_per_bucket() const override { return 2; }
  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    calls_.add("bucket");
    std::string text;
    for (const std::string& member : members) {
      if (member == "poison") throw Error(ExitCode::data, "poison: cannot be reversed");
      text += std::string(member.rbegin(), member.rend()) + "\n";
    }
    write_file(folder / "lines.txt", text);
  }
  std::string finish(int, const std::vector<Chunk>& chunks) override {
    for (const Chunk& chunk : chunks) link_or_copy(chunk.folder / "lines.txt", output_ / (chunk.bucket + ".txt"));
    return "";
  }

 private:
  std::filesystem::path output_;
  std::vector<std::string> lines_;
  Calls& calls_;
};

class ReverseBody final : public StageBody {
 public:
  explicit ReverseBody(Calls& calls) : calls_(calls) {}
  std::unique_ptr<SharedWork> share(StageContext& context) override {
    return std::make_unique<ReverseWork>(context, calls_);
  }

 private:
  Calls& calls_;
};

// write -> text, note~; upper: text -> text; reverse: text -> lines (shared); check: text -> verdict; sum (all ranks).
inline StageTable fake_kinds(Calls& calls) {
  StageKind write;
  write.name = "write";
  write.summary = "writes a text";
  write.inputs = {{.name = "extra", .help = "an outside file", .optional = true}};
  write.outputs = {{.name = "text", .help = "text.txt"}, {.name = "note", .help = "a time", .is_volatile = true}};
  write.parameters = specifications_of<WriteParameters>();
  write.body = [&calls] {
    return body_of([&calls](StageContext& context) {
      calls.add("write");
      const auto parameters = read_parameters<WriteParameters>(context.values);
      if (!parameters.fail.empty()) throw Error(ExitCode::data, parameters.fail);
      std::string text = parameters.text + "\n";
      if (context.has("extra")) text += read_file(context.input("extra"));
      write_file(context.output("text") / "text.txt", text);
      static std::atomic<int> note{0};
      write_file(context.output("note") / "note.txt", std::to_string(++note));
    });
  };
  StageKind upper;
  upper.name = "upper";
  upper.summary = "upper case";
  upper.inputs = {{.name = "text", .help = "write.text"}};
  upper.outputs = {{.name = "text", .help = "text.txt"}};
  upper.parameters = specifications_of<UpperParameters>();
  upper.body = [&calls] {
    return body_of([&calls](StageContext& context) {
      calls.add("upper");
      std::string text = read_file(context.input("text") / "text.txt");
      for (char& c : text) c = static_cast<char>(std::toupper(c));
      write_file(context.output("text") / "text.txt", text);
    });
  };
  StageKind reverse;
  reverse.name = "reverse";
  reverse.summary = "reverses each line";
  reverse.scope = Scope::shared;
  reverse.inputs = {{.name = "text", .help = "write.text", .by_sample = true}};
  reverse.outputs = {{.name = "lines", .help = "a file a bucket"}};
  reverse.body = [&calls] { return std::make_unique<ReverseBody>(calls); };
  StageKind check;
  check.name = "check";
  check.summary = "refuses a text with 'bad' in it";
  check.inputs = {{.name = "text", .help = "write.text"}};
  check.outputs = {{.name = "verdict", .help = "verdict.json"}};
  check.body = [&calls] {
    return body_of([&calls](StageContext& context) {
      calls.add("check");
      const bool bad = read_file(context.input("text") / "text.txt").find("bad") != std::string::npos;
      Value problems = Value::array();
      if (bad) problems.push_back({{"sample", "line"}, {"problem", "is bad"}});
      write_file(context.output("verdict") / "verdict.json", Value{{"passed", !bad}, {"problems", problems}}.dump());
    });
  };
  StageKind sum;
  sum.name = "sum";
  sum.summary = "adds one per rank";
  sum.scope = Scope::all_ranks;
  sum.inputs = {{.name = "text", .help = "write.text"}};
  sum.outputs = {{.name = "count", .help = "count.txt"}};
  sum.body = [&calls] {
    return body_of([&calls](StageContext& context) {
      calls.add("sum");
      int64_t one = 1;
      context.ranks.all_reduce(distributed::buffer_of(&one, 1), "count");
      if (context.ranks.rank() == 0) write_file(context.output("count") / "count.txt", std::to_string(one));
    });
  };
  StageKind learning;
  learning.name = "learn";
  learning.summary = "works in units";
  learning.scope = Scope::all_ranks;
  learning.inputs = {{.name = "text", .help = "write.text"}};
  learning.outputs = {{.name = "model", .help = "model.txt"},
                      {.name = "ranks", .help = "how many there were", .is_volatile = true}};
  learning.parameters = specifications_of<LearnParameters>();
  learning.body = [&calls] { return body_of([&calls](StageContext& context) { learn(context, calls); }); };
  learning.ends = [](const Values&) { return std::vector<std::string>{"units"}; };
  learning.adopt = [](const Values& values, const std::vector<std::filesystem::path>& relatives) {
    Adoption adoption;
    for (const auto& relative : relatives) {
      const int64_t units = number_in(relative / "units");
      if (units > values.at("units").get<int64_t>())
        adoption.refusal = "what is there is further";
      else if (units > 0)
        adoption.from = "unit " + std::to_string(units);
    }
    return adoption;
  };
  learning.scores = {{"skill", true}};
  StageKind gather;
  gather.name = "gather";
  gather.summary = "puts texts side by side";
  gather.inputs = {{.name = "models", .help = "learn.model[*]", .many = true}};
  gather.outputs = {{.name = "text", .help = "text.txt"}};
  gather.body = [&calls] {
    return body_of([&calls](StageContext& context) {
      calls.add("gather");
      std::map<std::string, std::string> sorted;
      for (const InputSource& source : context.inputs.at("models"))
        sorted[source.label] = read_file(source.path / "model.txt");
      std::string text;
      for (const auto& [label, model] : sorted) text += model;
      write_file(context.output("text") / "text.txt", text);
    });
  };
  return {write, upper, reverse, check, sum, learning, gather};
}

// A working directory with a configuration; run() is one invocation.
class Workshop {
 public:
  explicit Workshop(const std::string& config) {
    spdlog::set_level(spdlog::level::off);
    write("pipeline.toml", config);
  }

  void write(const std::string& name, const std::string& text) const { std::ofstream(folder.path() / name) << text; }
  std::filesystem::path path(const std::string& name) const { return folder.path() / name; }

  LoadedConfig load(const std::vector<std::string>& sets = {}) const {
    ConfigRequest request;
    request.file = path("pipeline.toml");
    request.sets = sets;
    request.store = path("store");
    return load_config(request, kinds);
  }

  struct Outcome {
    ExitCode code = ExitCode::done;
    std::map<std::string, Ending> ended;
    std::map<std::string, std::string> reasons, messages;
    std::map<std::string, NodeResult> details;
    std::map<std::string, std::string> digests;                 // "stage.port"
    std::map<std::string, std::map<std::string, Ending>> runs;  // run id -> stage -> how it ended
  };
  Outcome run(const std::vector<std::string>& sets = {}, int ranks = 1, Selection selection = {},
              RunOptions options = {}) {
    const LoadedConfig loaded = load(sets);
    Outcome outcome;
    options.selection = selection;
    options.cache = path("cache");
    options.use_leases = use_leases;
    options.publish = [&](const Graph& graph, const Run& one, const std::vector<NodeResult>& results,
                          const Publications&, const Store& store) {
      last_lineage = lineage_of(graph, one, results, store);
      for (const NodeResult& result : results) {
        const std::string& stage = graph.nodes[result.node].stage();
        outcome.ended[stage] = result.ending;
        outcome.runs[one.id][stage] = result.ending;
        outcome.reasons[stage] = result.reason;
        outcome.details[stage] = result;
        outcome.messages[stage] = result.message;
        if (!result.published) continue;
        for (const PublishedPort& port : result.published->ports)
          outcome.digests[(graph.has_matrix ? one.id + " " : "") + stage + "." + port.port] = port.digest.hex();
      }
    };
    std::mutex mutex;
    distributed::run_local_ranks(ranks, [&](distributed::Communicator& communicator) {
      const ExitCode code =
          run_graph(communicator.rank() == 0 ? &loaded.graph : nullptr, kinds, options, communicator, interrupted);
      const std::lock_guard lock(mutex);
      outcome.code = code;
    });
    return outcome;
  }
  TemporaryFolder folder;
  Calls calls;
  StageTable kinds = fake_kinds(calls);
  std::atomic<bool> interrupted{false};
  bool use_leases = true;
  std::string last_lineage;
};

inline constexpr const char* chain = R"(schema = 1
[pipeline]
name = "chain"
[stage.write]
[stage.upper]
inputs = { text = "write.text" }
[stage.reverse]
inputs = { text = "write.text" }
)";

}  // namespace penstock::pipeline
