#include "launch/job/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace penstock::launch {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto redraw_interval = std::chrono::milliseconds(200);

std::string line_of(const pipeline::Value& event) {
  const std::string stage = event.value("stage", "");
  const std::string kind = event.value("event", "");
  if (kind == "step") {
    return fmt::format("{}: step {}, loss {:.4f}, {:.1f} images/s", stage, event.value("step", 0),
                       event.value("loss", 0.0), event.value("images_per_second", 0.0));
  }
  if (kind == "bucket") return fmt::format("{}: {} of {} buckets", stage, event.value("done", 0), event.value("of", 0));
  return {};
}

}  // namespace

bool shows_bar(const OutputFlags& output) {
  if (output.quiet) return false;
  if (output.progress == Progress::automatic) return isatty(STDERR_FILENO) == 1;
  return output.progress == Progress::bar;
}

std::function<void(const pipeline::Value&)> progress_bar() {
  auto drawn = std::make_shared<Clock::time_point>();
  return [drawn](const pipeline::Value& event) {
    const auto now = Clock::now();
    if (now - *drawn < redraw_interval) return;
    const std::string line = line_of(event);
    if (line.empty()) return;
    *drawn = now;
    std::fprintf(stderr, "%s%s", clear_line, line.c_str());
  };
}

}  // namespace penstock::launch
