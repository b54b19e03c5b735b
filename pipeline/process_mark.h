// Which process made something: written into leases and into the names of staging folders, so that another process
// can later find out whether their maker still runs. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::pipeline {

struct ProcessMark {
  std::string boot;           // boot id of the machine, or the beginning of it
  std::string pid_namespace;  // a container numbers its processes on its own: "pid:[4026531836]"
  int64_t pid = 0;
  int64_t started = 0;  // in clock ticks since boot: pids are reused
};

ProcessMark this_process();

enum class Life {
  alive,
  gone,     // ended, or a zombie that nobody has waited for yet
  unknown,  // of another machine or container, or hidden: cannot be known here
};
Life life_of(const ProcessMark& mark);

// A part of a file's name that no other process or thread, here or on another machine, uses at the same time; holds the
// mark of this process.
std::string unique_suffix();
// The mark that a name made with unique_suffix() holds; nullopt where there is none.
std::optional<ProcessMark> mark_in(std::string_view name);

}  // namespace penstock::pipeline
