// command: runs the user's own program as a cached stage, with declared inputs, outputs and environment, and no shell.
//
//   [stage.clean]
//   uses    = "command"
//   command = ["/usr/bin/denoise", "{images}", "--to", "{clean}"]
//   inputs  = { images = "unzip.images" }
//   outputs = ["clean"]
//   env     = ["LANG"]
//   may_be_empty = ["clean"]          # a program that wrote no file there has not failed
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "distributed/printable.h"
#include "distributed/world.h"
#include "pipeline/files.h"
#include "pipeline/process_mark.h"
#include "pipeline/tree_walk.h"
#include "stages/kinds.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;

constexpr auto shortest_pause = std::chrono::milliseconds(1),
               longest_pause = std::chrono::milliseconds(50);  // between looks at the program
constexpr auto time_to_end = std::chrono::seconds(5);  // for a program to end after SIGTERM; mpirun may leave less

struct CommandParameters {
  std::vector<std::string> command;
  std::vector<std::string> outputs;
  std::vector<std::string> env;
  std::vector<std::string> may_be_empty;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("command", command, {.help = "program and arguments; {port} becomes the path of that input or output"});
    visit("outputs", outputs, {.help = "names of the folders that the program fills"});
    visit("env", env,
          {.help = "environment variables that the program sees beside PATH and HOME; their values enter the key"});
    visit("may_be_empty", may_be_empty,
          {.help = "outputs into which the program may write no file at all; of the others that is an error",
           .affects_output = false});
  }
};

// Replaces {port}; "{{" and "}}" are literal braces. `path_of` returns null for a name that is no port, which is thrown
// as Error(config).
std::string filled(const std::string& argument,
                   const std::function<std::optional<std::string>(const std::string&)>& path_of) {
  std::string out;
  for (size_t i = 0; i < argument.size(); ++i) {
    const char c = argument[i];
    if ((c == '{' || c == '}') && i + 1 < argument.size() && argument[i + 1] == c) {
      out += c;
      ++i;
    } else if (c == '{') {
      const size_t end = argument.find('}', i);
      const std::string name = argument.substr(i + 1, end == std::string::npos ? end : end - i - 1);
      const auto path = end == std::string::npos ? std::nullopt : path_of(name);
      if (!path)
        throw Error(ExitCode::config,
                    fmt::format("'{{{}}}' in '{}' names no input or output; write {{{{ for a brace", name, argument));
      out += *path;
      i = end;
    } else {
      out += c;
    }
  }
  return out;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Where the shell would find the program; empty when nowhere.
fs::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return fs::exists(name) ? fs::absolute(name) : fs::path();
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    if (access(candidate.c_str(), X_OK) == 0 && !fs::is_directory(candidate)) return candidate;
  }
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// The named variables, and PATH and HOME; nothing of mpirun's, so that the program may start its own.
std::vector<std::string> environment_for(const std::vector<std::string>& named) {
  const auto all = distributed::without_launcher(distributed::process_environment());
  std::vector<std::string> chosen;
  for (const auto& [name, value] : all) {
    if (name == "PATH" || name == "HOME" || std::find(named.begin(), named.end(), name) != named.end())
      chosen.push_back(name + "=" + value);
  }
  return chosen;
}

// In the key, which is JSON: the value after a '=', or where it is not UTF-8 its bytes in hexadecimal.
std::string text_of_variable(const std::string& value) {
  if (distributed::is_utf8(value)) return "=" + value;
  std::string text = "bytes";
  for (const char byte : value) text += fmt::format(" {:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string last_lines(const fs::path& log, size_t count) {
  const std::string text = pipeline::read_file(log);
  size_t at = text.size();
  for (size_t lines = 0; at > 0 && lines <= count; --at) lines += text[at - 1] == '\n';
  return text.substr(at == 0 ? 0 : at + 1);
}

// In the child, between fork and exec: nothing here allocates or locks.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, const char* folder,
                         const char* log, pid_t parent) {
  setpgid(0, 0);                     // with whatever it starts
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // a run that is killed leaves no program behind
  const int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (getppid() != parent || chdir(folder) != 0 || in < 0 || out < 0) _exit(127);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(program, arguments, environment);
  dprintf(STDERR_FILENO, "cannot be started: %s\n", std::strerror(errno));
  _exit(127);
}

// Returns the status of waitpid; nullopt when the run is interrupted: then the program and what it started got SIGTERM,
// and SIGKILL when they did not end in time.
std::optional<int> run_to_end(const fs::path& program, std::vector<std::string>& arguments,
                              std::vector<std::string>& environment, const fs::path& folder, const fs::path& log,
                              const std::atomic<bool>& interrupted) {
  using Clock = std::chrono::steady_clock;
  const auto words = pointers(arguments), variables = pointers(environment);
  const pid_t parent = getpid(), child = fork();
  if (child < 0)
    throw Error(ExitCode::environment,
                fmt::format("{}: cannot be started: {}", program.string(), std::strerror(errno)));
  if (child == 0) become(program.c_str(), words.data(), variables.data(), folder.c_str(), log.c_str(), parent);
  setpgid(child, child);  // whoever of the two comes first
  std::optional<Clock::time_point> asked;
  auto pause = shortest_pause;
  for (int status = 0;;) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child && !asked) return status;
    if (ended == child) {
      kill(-child, SIGKILL);  // what it left behind
      return std::nullopt;
    }
    if (interrupted.load() && !asked) {
      asked = Clock::now();
      kill(-child, SIGTERM);
    } else if (asked && Clock::now() - *asked > time_to_end) {
      kill(-child, SIGKILL);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest_pause);
  }
}

// What killed runs of this command left behind.
void remove_leftovers(const fs::path& progress) {
  for (const auto& entry : fs::directory_iterator(progress)) {
    const auto mark = pipeline::mark_in(entry.path().filename().string());
    std::error_code ignored;
    if (mark && life_of(*mark) == pipeline::Life::gone) fs::remove_all(entry.path(), ignored);
  }
}

// What the program left in one of its outputs can be kept, and is something.
void require_written(const fs::path& program, const std::string& output, const fs::path& folder, bool may_be_empty,
                     const std::string& said) {
  size_t files = 0;
  try {
    pipeline::walk_tree(folder, "{" + output + "}", pipeline::TreeKind::stored,
                        {.file = [&](const std::string&, const struct stat&) { ++files; }});
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} ended with exit code 0, but its output cannot be kept: {}",
                                          program.string(), error.what()));
  }
  if (files > 0 || may_be_empty) return;
  throw Error(ExitCode::data,
              fmt::format("{} ended with exit code 0, but wrote no file into its output '{}'; where that is right, add "
                          "may_be_empty = [\"{}\"] to the stage{}{}",
                          program.string(), output, output, said.empty() ? "" : "; the end of its output:\n", said));
}

void run_program(pipeline::StageContext& context) {
  const auto parameters = pipeline::read_parameters<CommandParameters>(context.values);
  const auto path_of = [&](const std::string& name) -> std::optional<std::string> {
    if (context.has(name)) return context.input(name).string();
    if (context.outputs.count(name)) return context.output(name).string();
    return std::nullopt;
  };
  std::vector<std::string> arguments;
  for (const std::string& argument : parameters.command) {
    if (!arguments.empty() && argument.find('{') == std::string::npos && fs::is_regular_file(argument)) {
      throw Error(ExitCode::config, fmt::format("the argument '{}' names a file that is not an input: make it an "
                                                "input, so that a change of it runs the stage again",
                                                argument));
    }
    arguments.push_back(filled(argument, path_of));
  }
  const fs::path program = find_program(arguments.front());
  if (program.empty()) throw Error(ExitCode::data, fmt::format("the program '{}' was not found", arguments.front()));
  auto environment = environment_for(parameters.env);

  // Of this process alone: with --no-lease another may be running the same command.
  const std::string suffix = pipeline::unique_suffix();
  const fs::path folder = context.progress / ("work." + suffix);
  const fs::path log = context.progress / ("output." + suffix);
  remove_leftovers(context.progress);
  pipeline::make_folder(folder);
  const auto ended = run_to_end(program, arguments, environment, folder, log, context.interrupted);
  fs::remove_all(folder);
  const std::string end = distributed::printable_text(last_lines(log, 20));
  fs::remove(log);
  if (!ended)
    throw Error(ExitCode::interrupted, fmt::format("interrupted; {} was stopped and will run again", program.string()));
  const int status = *ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    for (const std::string& output : parameters.outputs)
      require_written(program, output, context.output(output), contains(parameters.may_be_empty, output), end);
    return;
  }
  const std::string how = WIFEXITED(status) ? fmt::format("ended with exit code {}", WEXITSTATUS(status))
                                            : fmt::format("was killed by signal {}", WTERMSIG(status));
  throw Error(ExitCode::data, fmt::format("{} {}; the end of its output:\n{}", program.string(), how, end));
}

// Outputs are folders' names and stand in references ("clean.masks") and in braces.
void check_outputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs,
                   pipeline::Problems& problems) {
  if (outputs.empty()) problems.push_back({"outputs", "outputs must name at least one folder that the program fills"});
  std::set<std::string> seen;
  for (const std::string& name : outputs) {
    const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '-';
    });
    if (!plain)
      problems.push_back(
          {"outputs", fmt::format("the output '{}' must be a plain name: letters, digits, '_' and '-'", name)});
    if (!seen.insert(name).second) problems.push_back({"outputs", fmt::format("the output '{}' is there twice", name)});
    if (contains(inputs, name))
      problems.push_back(
          {"outputs", fmt::format("'{}' is an input and an output, so that {{{}}} could mean either", name, name)});
  }
}

void check_arguments(const CommandParameters& parameters, const std::vector<std::string>& inputs,
                     pipeline::Problems& problems) {
  for (const std::string& argument : parameters.command) {
    try {
      filled(argument, [&](const std::string& name) {
        return contains(inputs, name) || contains(parameters.outputs, name) ? std::optional<std::string>("")
                                                                            : std::nullopt;
      });
    } catch (const Error& error) {
      problems.push_back({"command", error.what()});
    }
  }
}

}  // namespace

pipeline::StageKind command_kind() {
  pipeline::StageKind kind;
  kind.name = "command";
  kind.summary = "runs a program of yours as a cached stage";
  kind.parameters = pipeline::specifications_of<CommandParameters>();
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    const auto parameters = pipeline::read_parameters<CommandParameters>(view.values);
    if (parameters.command.empty()) problems.push_back({"command", "command must name a program"});
    check_outputs(parameters.outputs, view.inputs, problems);
    for (const std::string& name : parameters.may_be_empty) {
      if (!contains(parameters.outputs, name))
        problems.push_back({"may_be_empty", fmt::format("may_be_empty names '{}', which is no output", name)});
    }
    check_arguments(parameters, view.inputs, problems);
  };
  kind.ports = [](const pipeline::Values& values, const std::vector<std::string>& inputs) {
    std::vector<pipeline::Port> in, out;
    for (const std::string& name : inputs) in.push_back({.name = name, .help = "as declared"});
    for (const std::string& name : pipeline::read_parameters<CommandParameters>(values).outputs)
      out.push_back({.name = name, .help = "as declared"});
    return std::pair(in, out);
  };
  kind.environment = [](const pipeline::Values& values) {
    const auto parameters = pipeline::read_parameters<CommandParameters>(values);
    std::map<std::string, std::string> depends;
    if (!parameters.command.empty()) {
      const fs::path program = find_program(parameters.command.front());
      depends["program"] = program.empty() ? "not found" : pipeline::digest_of_file(program).hex();
    }
    const auto environment = distributed::process_environment();
    for (const std::string& name : parameters.env) {
      const auto found = environment.find(name);
      depends["variable " + name] = found == environment.end() ? "unset" : text_of_variable(found->second);
    }
    return depends;
  };
  kind.body = [] { return pipeline::body_of(run_program); };
  return kind;
}

}  // namespace penstock::stages
