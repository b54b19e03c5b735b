// What a stage is to the engine: a declaration (kind, version, ports, parameters, scope), which is cheap and part of
// the executable, and a body, which does the work and may be in a library that is opened when it must run.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/watchdog/watch.h"
#include "pipeline/digest.h"
#include "pipeline/parameters.h"

namespace penstock::pipeline {

class Events;

// One named input or output. Every output is a folder; an input is a file or a folder, read-only.
struct Port {
  std::string name;
  std::string help;          // what it holds
  bool optional = false;     // inputs only
  bool is_volatile = false;  // outputs only: kept and digested, in no downstream key (times, hosts, rates)
  bool by_sample = false;    // inputs of a shared stage: a chunk's key takes only its members' bytes of this port
  bool many = false;         // inputs only: takes a list of sources or a fan-in
};

const Port* find_port(const std::vector<Port>& ports, std::string_view name);  // nullptr when there is none

enum class Scope {
  rank0,      // run() on rank 0; the others wait asleep
  all_ranks,  // run() on every rank, with collectives
  shared,     // share(): buckets of samples, handed out to any rank
};

// One source of an input as the body sees it. `label` is the run id in a fan-in, else empty.
struct InputSource {
  std::filesystem::path path;
  std::string label;
};

// A figure that a body reports while it runs.
struct Score {
  std::string name;
  bool larger_is_better = false;
};

// Where it reports them, for early stopping across the runs of a sweep.
class ScoreBoard {
 public:
  virtual ~ScoreBoard() = default;
  // After each unit of work (an epoch, from 1), and on a resume for each that was done before; `last` says that none
  // will follow. False, never for the last: the run is given up. The body then saves its state, broadcasts it to all
  // ranks, and returns without writing outputs.
  virtual bool report(int64_t unit, const std::map<std::string, double>& figures, bool last) = 0;
};

// All that a body may know. Valid during the call.
struct StageContext {
  const Values& values;  // read_parameters<P>(context.values)
  distributed::Communicator& ranks;
  int threads = 1;  // that this rank may use
  std::map<std::string, std::vector<InputSource>> inputs;
  std::map<std::string, std::filesystem::path> outputs;  // empty folders in staging, the same on all ranks
  std::filesystem::path progress;  // kept between attempts of the same action; exists; rank 0 writes, all may read
  std::vector<std::filesystem::path>
      relatives;  // progress folders of the same family, for a body that finds `progress` empty
  Events& events;
  const std::atomic<bool>& interrupted;  // this rank is to stop; all ranks agree before one acts
  ScoreBoard* scores = nullptr;          // on rank 0 of a run that may be given up; else null
  std::string
      lineage;  // of a kind that reads_lineage: the run's stages, parameters and attempts, as JSON (run/lineage.h)
  distributed::Watch& watch = distributed::unwatched();  // announce to it what may take long, or wait on a disk
  std::string stage;                                     // "train", or "train@1f0a2b3c4d" in a matrix: for messages

  bool has(const std::string& port) const { return inputs.count(port) != 0; }
  // The path of an input that must have exactly one source; a check fails otherwise.
  const std::filesystem::path& input(const std::string& port) const;
  const std::filesystem::path& output(const std::string& port) const;
};

// A sample as a shared stage's catalogue lists it: `parts` are (port, digest of that sample's bytes in that port), in
// a fixed order.
struct Sample {
  std::string id;
  std::vector<std::pair<std::string, Digest>> parts;
};

inline constexpr int usual_samples_per_bucket = 32;

// Work in buckets of samples. Each rank makes one; rank 0's also lists the samples and closes the passes.
// run_bucket is called by several threads at once.
class SharedWork {
 public:
  virtual ~SharedWork() = default;
  // Rank 0. Every sample of a pass, any order. Ids are unique (Error(data) names both when not).
  virtual std::vector<Sample> samples(int pass) = 0;
  virtual int passes() const { return 1; }
  // Parameters that this pass's chunks depend on, if fewer than all; nullopt: all that affect the output.
  virtual std::optional<Values> parameters_of(int /*pass*/) const { return std::nullopt; }
  // Buckets of about this many samples (a stage that writes files of a set size may return another).
  virtual int samples_per_bucket() const { return usual_samples_per_bucket; }
  // Any rank, any thread. Writes a chunk (files) into the empty `folder`. The bytes depend only on what is in the
  // chunk's key: never on bucket number, rank or thread.
  virtual void run_bucket(int pass, const std::vector<std::string>& members, const std::filesystem::path& folder) = 0;
  // Rank 0, after the last bucket. `chunks` in bucket order, each with its members. Returns what the pass decided (any
  // text, often JSON): it enters the chunk keys of later passes and reaches every rank through decided(). The last
  // pass writes the outputs; chunk files are adopted with link_or_copy.
  struct Chunk {
    std::string bucket;                // its leading bits, as hex of fixed width: names that sort and stay
    std::vector<std::string> members;  // sorted
    std::filesystem::path folder;
  };
  virtual std::string finish(int pass, const std::vector<Chunk>& chunks) = 0;
  // Every rank, before the next pass.
  virtual void decided(int pass, const std::string& decision) { (void)pass, (void)decision; }
};

class StageBody {
 public:
  virtual ~StageBody() = default;
  virtual void run(StageContext& context);                           // scopes rank0 and all_ranks
  virtual std::unique_ptr<SharedWork> share(StageContext& context);  // scope shared; every rank calls it
};

// What a check of parameters that are each legal may look at.
struct CheckView {
  const Values& values;  // of this instance
  // A parameter of the nearest stage of that kind upstream; nullopt when there is no such stage.
  std::function<std::optional<Value>(std::string_view kind, const std::string& parameter)> upstream;
  std::vector<std::string> inputs = {};  // names of those that are given
  std::vector<std::string> given = {};   // names of parameters that do not stand at their defaults by themselves

  bool has(std::string_view input) const { return std::find(inputs.begin(), inputs.end(), input) != inputs.end(); }
};

// What such a check finds.
struct Problem {
  std::string parameter;  // at fault
  std::string sentence;
  std::string related_kind = {};  // an upstream kind whose parameter is involved, or empty
  std::string related_parameter = {};
};
using Problems = std::vector<Problem>;

// What an instance may take over from its family: instances that differ only in when they end.
struct Adoption {
  std::optional<std::string> from;  // in words ("epoch 12 of 12"); nullopt: nothing
  std::string refusal;              // why not, where there is something
};

struct StageKind {
  std::string name;
  int version = 1;      // bumped when the bytes of an output change
  std::string summary;  // one sentence
  Scope scope = Scope::rank0;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<Specification> parameters;
  // Optional. What is wrong with parameters that are each legal.
  std::function<void(const CheckView&, Problems&)> check = nullptr;
  // Optional; for `command`, whose ports are declared in the configuration. Given the values and the names of the
  // inputs, gives (inputs, outputs).
  std::function<std::pair<std::vector<Port>, std::vector<Port>>(const Values&, const std::vector<std::string>&)> ports =
      nullptr;
  // Optional. Environment that decides the output, as (name, value): enters the key. Called on rank 0.
  std::function<std::map<std::string, std::string>(const Values&)> environment = nullptr;
  std::function<std::unique_ptr<StageBody>()> body = nullptr;

  // Optional, both or none: work that can be prolonged. `ends` names the parameters that, with these values, only say
  // when it ends: instances that differ in nothing else are one family. `adopt` says what an instance with these values
  // would take over from these progress folders of its family, as its body then does (StageContext::relatives).
  std::function<std::vector<std::string>(const Values&)> ends = nullptr;
  std::function<Adoption(const Values&, const std::vector<std::filesystem::path>&)> adopt = nullptr;
  // StageContext::lineage is filled for the body.
  bool reads_lineage = false;
  // Optional. What the body reports to StageContext::scores.
  std::vector<Score> scores = {};
  // Optional. Values that make the stage short, for a rehearsal of the whole pipeline.
  Values rehearsal = {};
  // Of a shared kind, as its SharedWork::samples_per_bucket() says: for plan --world.
  int samples_per_bucket = usual_samples_per_bucket;
  // Optional. How `ranks` ranks would share the work with these values, in words: for plan --world.
  std::function<std::string(const Values&, int ranks)> layout = nullptr;
};

// The kinds that a program knows, in the order of a pipeline. Kept alive while graphs exist.
using StageTable = std::vector<StageKind>;
const StageKind* find_kind(const StageTable& table, std::string_view name);

// A body made of one function, for scopes rank0 and all_ranks.
std::unique_ptr<StageBody> body_of(std::function<void(StageContext&)> run);

}  // namespace penstock::pipeline
