// Many processes on one store, and many kills: nothing is done twice, nothing counts as done that is not.
//
// Samples of what `PENSTOCK_FULL_STRESS=1 end_to_end_test --gtest_filter='Stress*'` does at length.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "workplace.h"

namespace penstock {
namespace {

using nlohmann::json;

bool full() { return std::getenv("PENSTOCK_FULL_STRESS") != nullptr; }
int count(int sampled, int all) { return full() ? all : sampled; }

// Chains of four command stages; each says in log/<stage> that it ran. `says` is what it writes.
std::string many_stages(const std::filesystem::path& folder, int stages, const std::string& says) {
  std::string text = "schema = 1\n[pipeline]\nname = \"many\"\n";
  for (int stage = 0; stage < stages; ++stage) {
    const bool takes = stage % 4 != 0;
    text += fmt::format(
        "[stage.s{0}]\nuses = \"command\"\ncommand = [\"sh\", \"-c\", \"echo ran >> {1}/log/s{0}; echo {0} {2} > "
        "{{out}}/x{3}\"]\noutputs = [\"out\"]\n",
        stage, folder.string(), says, takes ? "; cat {up}/x >> {out}/x" : "");
    if (takes) text += fmt::format("inputs = {{ up = \"s{}.out\" }}\n", stage - 1);
  }
  return text;
}

class Stress : public testing::Test {
 protected:
  void write(int stages, const std::string& says = "") {
    std::filesystem::create_directories(place.path() / "log");
    place.write("pipeline.toml", many_stages(place.path(), stages, says));
  }
  // Eight at once; the exit codes.
  std::vector<int> run_eight(const std::string& flags) const {
    std::vector<std::unique_ptr<Process>> processes;
    for (int i = 0; i < 8; ++i)
      processes.push_back(std::make_unique<Process>(place.program(1) + "run pipeline.toml -q " + flags, place.path()));
    std::vector<int> codes;
    for (const auto& process : processes) codes.push_back(process->wait().code);
    return codes;
  }
  std::map<std::string, int> executions() const {
    std::map<std::string, int> found;
    for (const auto& entry : std::filesystem::directory_iterator(place.path() / "log")) {
      const std::string text = text_of(entry.path());
      found[entry.path().filename().string()] = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    }
    return found;
  }
  void expect_clean() const {
    const Ran verified = place.penstock("cache verify");
    EXPECT_EQ(verified.code, 0) << verified.out;
    EXPECT_EQ(place.entries(".penstock/staging"), 0u);
    EXPECT_EQ(place.entries(".penstock/leases"), 0u);
  }

  Workplace place;
};

TEST_F(Stress, EightProcessesOnOneStoreExecuteEachStageOnce) {
  const int stages = count(20, 200);
  write(stages);
  EXPECT_THAT(run_eight(""), testing::Each(0));
  const auto ran = executions();
  EXPECT_EQ(ran.size(), static_cast<size_t>(stages));
  EXPECT_THAT(ran, testing::Each(testing::Pair(testing::_, 1)));
  EXPECT_EQ(place.entries(".penstock/actions"), static_cast<size_t>(stages));
  expect_clean();
}

TEST_F(Stress, EightProcessesWithoutLeasesPublishTheSameBytesOnce) {
  const int stages = count(20, 200);
  write(stages);
  EXPECT_THAT(run_eight("--no-lease"), testing::Each(0));
  EXPECT_EQ(place.entries(".penstock/actions"), static_cast<size_t>(stages));
  EXPECT_EQ(place.entries(".penstock/objects"), static_cast<size_t>(stages));
  EXPECT_EQ(place.entries(".penstock/nondeterminism"), 0u);
  expect_clean();
}

TEST_F(Stress, EightProcessesWithoutLeasesRecordWhatDiffers) {
  const int stages = count(20, 200);
  write(stages, "$$");  // the shell's process number
  EXPECT_THAT(run_eight("--no-lease"), testing::Each(0));
  EXPECT_EQ(place.entries(".penstock/actions"), static_cast<size_t>(stages));
  int extra = 0;
  for (const auto& [stage, times] : executions()) extra += times - 1;
  EXPECT_EQ(place.entries(".penstock/nondeterminism"), static_cast<size_t>(extra))
      << "each stage has one output, and each further execution is recorded";
  expect_clean();
}

// ---- kills ----

// An archive of 256 little images: eight buckets of unzip, then a chain of programs, each of which kills penstock when
// a file for it is there.
constexpr const char* make_archive = R"(python3 - <<'PY'
import struct, zipfile, zlib
def png(value):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = (b'\0' + bytes([value]) * 24) * 24
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 24, 24, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
with zipfile.ZipFile('archive.zip', 'w') as zip:
    for n in range(256):
        zip.writestr(f'{n}/images/{n}.png', png(n % 200))
        zip.writestr(f'{n}/masks/first.png', png(255))
PY
)";

std::string killed_pipeline(const std::filesystem::path& folder) {
  std::string text =
      "schema = 1\n[pipeline]\nname = \"killed\"\n[stage.unzip]\ninputs = { archive = \"file:archive.zip\" }\n";
  std::string from = "unzip.images";
  for (const char* stage : {"a", "b", "c", "d"}) {
    text += fmt::format(
        "[stage.{0}]\nuses = \"command\"\ncommand = [\"sh\", \"-c\", \"echo ran >> {1}/log/{0}; "
        "if [ -e {1}/kill-in-{0} ]; then rm {1}/kill-in-{0}; kill -9 $PPID; fi; "
        "(cat {{in}}/*.json; echo {0}) | sha256sum > {{out}}/x.json\"]\n"
        "inputs = {{ in = \"{2}\" }}\noutputs = [\"out\"]\n",
        stage, folder.string(), from);
    from = std::string(stage) + ".out";
  }
  return text;
}

class StressOfKills : public Stress {
 protected:
  StressOfKills() {
    place.write("pipeline.toml", killed_pipeline(place.path()));
    EXPECT_EQ(run(make_archive, place.path()).code, 0);
  }
  static std::string quietly(const std::string& program) {
    return "export OMP_NUM_THREADS=1; " + program + "run pipeline.toml -q --json";
  }
  void start_anew() const {
    for (const char* name : {".penstock", "runs", "log"}) std::filesystem::remove_all(place.path() / name);
    std::filesystem::create_directories(place.path() / "log");
  }
  std::set<std::string> stages_published() const {
    std::set<std::string> stages;
    const Ran ran = place.penstock("cache ls --json");
    if (ran.code != 0) return stages;  // killed before there was a store
    const json said = json::parse(ran.out);
    for (const auto& one : said.at("publications")) stages.insert(one.at("stage").get<std::string>());
    return stages;
  }
  static std::string at_call(const std::string& folder, int number, const std::string& what = "kill") {
    return preloaded("fault_injection", fmt::format("FAULT_BELOW={} FAULT_AT={} FAULT_DO={}", folder, number, what));
  }
  // Those of an unbroken run that change files below a folder.
  int calls_below(const std::string& folder) const {
    start_anew();
    const Ran unbroken = run(at_call(folder, 0, "count") + quietly(place.program(1)), place.path());
    EXPECT_EQ(unbroken.code, 0) << unbroken.error;
    return std::stoi("0" + text_of(place.path() / "counted"));
  }
  // The program alone is killed: what it started runs on.
  void run_and_die(const std::string& before) const {
    EXPECT_EQ(run(before + quietly(place.program(1)), place.path()).code, 128 + SIGKILL) << before;
  }
  // How many parts were made by all runs so far.
  int buckets_made() const {
    const std::string events = text_of(place.path() / "runs/killed/events.jsonl");
    int made = 0;
    for (size_t at = events.find("\"event\":\"bucket\""); at != std::string::npos;
         at = events.find("\"event\":\"bucket\"", at + 1))
      ++made;
    return made;
  }
};

// Each kill is certain to come: at a call that changes the store, at one that makes a part of unzip (counted in
// unbroken runs), or while a program runs.
TEST_F(StressOfKills, AtAnyMomentLeaveNothingFalselyDoneNothingFalselyStaleAndCostOneBucketAtMost) {
  const std::string folders[] = {"/.penstock/", "/.penstock/actions/", "/.penstock/manifests/", "/.penstock/objects/"};
  std::map<std::string, int> calls;
  for (const std::string& folder : folders) calls[folder] = calls_below(folder);
  const int calls_for_parts = calls_below("/.penstock/chunks/");
  const auto expected = place.published();
  const int buckets = buckets_made();
  ASSERT_EQ(buckets, 8);
  ASSERT_EQ(calls_for_parts, buckets) << "a part appears by one call";

  std::mt19937 random(11);
  const auto below = [&random](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  int in_unzip = 0, in_programs = 0, repeated = 0;
  const int kills = count(12, 200);
  for (int kill = 0; kill < kills; ++kill) {
    start_anew();
    if (kill % 3 == 0) {
      const std::string& folder = folders[kill / 3 % 4];
      run_and_die(at_call(folder, 1 + below(calls[folder] - calls[folder] / 10)));
    } else if (kill % 3 == 1) {
      run_and_die(at_call("/.penstock/chunks/", 1 + calls_for_parts * (kill + 1) / (kills + 2)));
    } else {
      place.write(fmt::format("kill-in-{}", "abcd"[below(4)]), "");
      run_and_die("");
    }
    const auto before = stages_published();
    const size_t parts = place.entries(".penstock/chunks");
    const int made = buckets_made();
    in_unzip += before.empty() && parts > 0;
    in_programs += !before.empty() && before.size() < 5;
    const Ran ran = Process(quietly(place.program(1)), place.path()).wait();
    ASSERT_EQ(ran.code, 0) << "kill " << kill << "\n" << ran.error;
    EXPECT_EQ(place.published(), expected) << "kill " << kill;
    const json said = json::parse(ran.out);
    for (const auto& stage : said.at("runs").at(0).at("stages")) {
      const std::string name = stage.at("stage");
      EXPECT_EQ(stage.at("state"), before.count(name) ? "hit" : "ran") << "kill " << kill << ", stage " << name;
    }
    if (!before.count("unzip")) {
      EXPECT_EQ(buckets_made() - made, buckets - static_cast<int>(parts))
          << "kill " << kill << ": a part that was there is not made again";
    }
    int extra = 0;
    for (const auto& [stage, times] : executions()) extra += times - 1;
    EXPECT_LE(extra, 1) << "kill " << kill << ": only what was running at the kill runs again";
    repeated += extra;
    EXPECT_EQ(place.penstock("cache gc --yes -q").code, 0);
    expect_clean();
  }
  std::cout << fmt::format("{} kills: {} among the parts of unzip, {} among the programs, {} programs ran again\n",
                           kills, in_unzip, in_programs, repeated);
  EXPECT_GT(in_unzip, 0);
  EXPECT_GE(in_programs, kills / 3);
}

// ---- a machine that went away ----

TEST_F(Stress, ADeadHolderOnAnotherMachineIsReplacedAfterAMinute) {
  write(1);
  ASSERT_EQ(place.penstock("run pipeline.toml").code, 0);
  const auto store = place.path() / ".penstock";
  const std::string action = std::filesystem::directory_iterator(store / "actions")->path().filename().string();
  for (const char* table : {"actions", "recipes", "objects"}) {
    std::filesystem::remove_all(store / table);
    std::filesystem::create_directory(store / table);
  }
  place.write(".penstock/leases/" + action, json{{"token", "theirs"},
                                                 {"host", "far"},
                                                 {"boot", "of-another-machine"},
                                                 {"pid_namespace", "pid:[1]"},
                                                 {"pid", 7},
                                                 {"started", 7},
                                                 {"stage", "s0"},
                                                 {"since", "2026-01-01T00:00:00Z"},
                                                 {"beat", "000000000042"}}
                                                .dump());
  Process process(place.program(1) + "run pipeline.toml", place.path());
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_THAT(ran.error, testing::HasSubstr("pid 7 on far"));
  EXPECT_GE(ran.seconds, 59) << "no clock but our own: it is watched for a minute";
  expect_clean();
}

}  // namespace
}  // namespace penstock
