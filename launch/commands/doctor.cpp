#include "launch/commands/doctor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>

#include "distributed/error.h"
#include "distributed/opened_library.h"
#include "launch/job/launch_advice.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "pipeline/value.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using stages::Finding;
using stages::found;

constexpr double least_memory_gib = 1, least_space_gib = 2;  // below these even the quick start may fail

[[noreturn]] void fail(const std::string& text) { throw Error(ExitCode::environment, text); }

// GiB of a line "MemAvailable:   123 kB" of /proc/meminfo.
double memory_gib(const std::string& name) {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::strtod(line.c_str() + name.size() + 1, nullptr) / (1 << 20);
  }
  return 0;
}

std::string check_memory() {
  const double all = memory_gib("MemTotal"), left = memory_gib("MemAvailable");
  const std::string text = fmt::format("{:.1f} GiB, {:.1f} of them available", all, left);
  if (left < least_memory_gib) fail(fmt::format("{}: less than {} GiB are left", text, least_memory_gib));
  return text;
}

std::string check_cores(const distributed::World& world, const distributed::Environment& environment) {
  const Machine machine = this_machine();
  return fmt::format("{} that this process may use, of {}; it uses {}", machine.allowed_cores, machine.job_cores,
                     pipeline::counted(distributed::threads_of(world, environment, machine.allowed_cores), "thread"));
}

// The library is opened, not started: alone that would cost a third of a second for nothing.
std::string check_mpi(const distributed::World& world) {
  distributed::open_library_symbol("libpenstock_mpi.so", "penstock_mpi_communicator");
  if (world.launcher != distributed::Launcher::alone)
    return fmt::format("rank {} of {} has met the others", world.rank, world.size);
  std::string version;
  if (FILE* pipe = popen("mpirun --version 2>/dev/null", "r")) {
    char line[256];
    if (std::fgets(line, sizeof line, pipe) != nullptr) version = line;
    pclose(pipe);
  }
  if (version.empty()) fail("there is no mpirun in PATH: several ranks cannot be started (Debian: openmpi-bin)");
  version.erase(version.find_last_not_of('\n') + 1);
  if (version.find("Open MPI") == std::string::npos)
    fail("mpirun in PATH is not Open MPI's, which this program is linked with: " + version);
  return version;
}

std::string check_launch_line(const distributed::World& world, const distributed::Environment& environment) {
  const auto advice = launch_advice(world, environment, this_machine());
  if (!advice.empty()) fail(advice.front());
  return world.launcher == distributed::Launcher::alone
             ? "one process, no launcher"
             : fmt::format("{} ranks, {} on this machine", world.size, world.local_size);
}

std::string check_space(const fs::path& folder) {
  struct statvfs about = {};
  if (statvfs(folder.c_str(), &about) != 0) fail(folder.string() + " cannot be read");
  const double left = static_cast<double>(about.f_bavail) * static_cast<double>(about.f_frsize) / (1 << 30);
  const std::string text = fmt::format("{:.1f} GiB free below {}", left, fs::weakly_canonical(folder).string());
  if (left < least_space_gib) fail(fmt::format("{}: less than {} GiB", text, least_space_gib));
  return text;
}

std::string check_sync(const fs::path& folder) {
  constexpr size_t megabytes = 8;
  const fs::path file = folder / "doctor.bin";
  const auto start = std::chrono::steady_clock::now();
  pipeline::write_file(file, std::string(megabytes << 20, 'x'));
  const int handle = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = handle >= 0 && fsync(handle) == 0;
  if (handle >= 0) close(handle);
  if (!synced) fail("fsync fails here: a crash could lose what was said to be saved");
  return fmt::format("{} MiB written and synced in {:.0f} ms", megabytes,
                     std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
}

// The store publishes by link, or where that is not to be had by a rename that replaces nothing.
std::string check_links(const fs::path& folder) {
  std::error_code error;
  fs::create_hard_link(folder / "doctor.bin", folder / "doctor.link", error);
  return error ? "no hard links here; outputs are published by a rename that replaces nothing" : "hard links work";
}

class TestFolder {
 public:
  explicit TestFolder(const fs::path& parent) : path_(parent / fmt::format(".penstock-doctor-{}", getpid())) {
    fs::create_directories(path_);
  }
  ~TestFolder() {
    std::error_code none;
    fs::remove_all(path_, none);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

const char* word_of(Finding::State state) {
  return state == Finding::State::ok ? "ok" : state == Finding::State::failed ? "FAILED" : "not run";
}

int count(const std::vector<Finding>& findings, Finding::State state) {
  return static_cast<int>(std::count_if(findings.begin(), findings.end(),
                                        [state](const Finding& finding) { return finding.state == state; }));
}

}  // namespace

std::vector<Finding> check_machine(const distributed::World& world, const distributed::Environment& environment) {
  return {found("cores", [&] { return check_cores(world, environment); }), found("memory", check_memory),
          found("MPI", [&] { return check_mpi(world); }),
          found("launch line", [&] { return check_launch_line(world, environment); })};
}

std::vector<Finding> check_disk(const fs::path& folder) {
  std::optional<TestFolder> test;
  const auto made = found("disk", [&] {
    test.emplace(folder);
    return check_space(folder);
  });
  if (!test) return {made};
  return {made, found("sync to disk", [&] { return check_sync(test->path()); }),
          found("links", [&] { return check_links(test->path()); })};
}

std::string as_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings)
    text += fmt::format("{:<8} {:<28} {}\n", word_of(finding.state), finding.name, finding.text);
  const int failed = count(findings, Finding::State::failed), not_run = count(findings, Finding::State::not_run);
  text += fmt::format("{} ok, {} FAILED, {} not run\n", count(findings, Finding::State::ok), failed, not_run);
  return text;
}

std::string as_json(const std::vector<Finding>& findings) {
  pipeline::Value checks = pipeline::Value::array();
  for (const Finding& finding : findings) {
    const char* state = finding.state == Finding::State::ok       ? "ok"
                        : finding.state == Finding::State::failed ? "failed"
                                                                  : "not run";
    checks.push_back({{"name", finding.name}, {"state", state}, {"text", finding.text}});
  }
  return pipeline::Value{{"checks", checks},
                         {"ok", count(findings, Finding::State::ok)},
                         {"failed", count(findings, Finding::State::failed)},
                         {"not_run", count(findings, Finding::State::not_run)}}
             .dump() +
         "\n";
}

}  // namespace penstock::launch
