#include "launch/job/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <deque>
#include <memory>
#include <mutex>

#include "distributed/printable.h"
#include "launch/job/progress.h"
#include "pipeline/files.h"

namespace penstock::launch {
namespace {

constexpr size_t kept_lines = 200;

// %* in a pattern: the message, printable, for names from outside may hold what a terminal acts on or JSON refuses.
class PrintableMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = distributed::printable_text({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override { return std::make_unique<PrintableMessage>(); }
};

void set_pattern(spdlog::sinks::sink& sink, const std::string& pattern) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<PrintableMessage>('*').set_pattern(pattern);
  sink.set_formatter(std::move(formatter));
}

// Keeps the last lines in memory until forget().
class RecentLines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void forget() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
  }
  std::string text() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& line : lines_) all += line;
    return all;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    lines_.emplace_back(formatted.data(), formatted.size());
    if (lines_.size() > kept_lines) lines_.pop_front();
  }
  void flush_() override {}

 private:
  std::deque<std::string> lines_;
};

std::shared_ptr<RecentLines>& recent() {
  static auto sink = std::make_shared<RecentLines>();
  return sink;
}

spdlog::color_mode mode_of(Color color) {
  switch (color) {
    case Color::always:
      return spdlog::color_mode::always;
    case Color::never:
      return spdlog::color_mode::never;
    case Color::automatic:
      break;
  }
  return spdlog::color_mode::automatic;
}

}  // namespace

void start_logging(int rank, const OutputFlags& output) {
  std::vector<spdlog::sink_ptr> sinks = {recent()};
  set_pattern(*recent(), "%H:%M:%S %*");
  if (rank == 0) {
    auto console = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode_of(output.color));
    console->set_level(output.quiet ? spdlog::level::err : output.verbose ? spdlog::level::debug : spdlog::level::info);
    set_pattern(*console, std::string(shows_bar(output) ? clear_line : "") + "%H:%M:%S %^%*%$");
    sinks.push_back(std::move(console));
  }
  auto logger = std::make_shared<spdlog::logger>("penstock", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void log_to(const std::filesystem::path& folder, int rank) {
  pipeline::make_folder(folder);
  auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(
      (folder / ("rank-" + std::to_string(rank) + ".log")).string());
  set_pattern(*file, "%Y-%m-%dT%H:%M:%S.%e %l %*");
  spdlog::default_logger()->sinks().push_back(std::move(file));
}

void begin_log() { recent()->forget(); }
std::string end_of_log() { return recent()->text(); }

}  // namespace penstock::launch
