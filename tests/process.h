// Starts programs as a user would, in a folder of their own, and keeps what they said.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace penstock {

struct Ran {
  int code = -1;      // exit code; 128 + n when a signal ended it
  std::string out;    // stdout
  std::string error;  // stderr
  double seconds = 0;
};

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A limit against hangs: no machine is as slow as that.
inline constexpr std::chrono::seconds long_enough{300};

// False: it was not there within `limit`.
template <typename Condition>
bool wait_until(Condition&& there, std::chrono::seconds limit = long_enough) {
  for (const auto end = std::chrono::steady_clock::now() + limit; !there();
       std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

// What a process has started; for mpirun, its ranks on this machine.
inline std::vector<pid_t> children_of(pid_t process) {
  const std::string number = std::to_string(process);
  std::istringstream children(text_of("/proc/" + number + "/task/" + number + "/children"));
  return {std::istream_iterator<pid_t>(children), std::istream_iterator<pid_t>()};
}

// False also for one that has ended and that nobody has waited for.
inline bool is_running(pid_t process) {
  const std::string status = text_of("/proc/" + std::to_string(process) + "/stat");
  return !status.empty() && status.find(") Z") == std::string::npos;
}

inline bool wait_until_gone(const std::vector<pid_t>& processes) {
  return wait_until([&] { return std::none_of(processes.begin(), processes.end(), is_running); });
}

// A shell command in a process group of its own. The destructor kills what is left of it.
class Process {
 public:
  Process(const std::string& command, const std::filesystem::path& folder) : folder_(folder) {
    out_ = folder / (".out-" + std::to_string(++count()));
    error_ = folder / (".error-" + std::to_string(count()));
    pid_ = fork();
    if (pid_ == 0) {
      setpgid(0, 0);
      // mpirun as root, as in a container, and with more ranks than cores.
      for (const char* name :
           {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"})
        setenv(name, "1", 1);
      if (chdir(folder.c_str()) != 0) _exit(127);
      redirect(out_, STDOUT_FILENO);
      redirect(error_, STDERR_FILENO);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() {
    if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) ended();
    return pid_ > 0;
  }
  Ran wait() {
    if (pid_ > 0) {
      waitpid(pid_, &status_, 0);
      ended();
    }
    Ran ran;
    ran.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    ran.out = text_of(out_);
    ran.error = text_of(error_);
    ran.seconds = seconds_;
    return ran;
  }

 private:
  static int& count() {
    static int value = 0;
    return value;
  }
  static void redirect(const std::filesystem::path& file, int descriptor) {
    const int opened = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(opened, descriptor);
    close(opened);
  }
  void ended() {
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    pid_ = -1;
  }

  std::filesystem::path folder_, out_, error_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  pid_t pid_ = -1;
  int status_ = 0;
  double seconds_ = 0;
};

inline Ran run(const std::string& command, const std::filesystem::path& folder) {
  return Process(command, folder).wait();
}

}  // namespace penstock
