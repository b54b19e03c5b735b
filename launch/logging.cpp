#include "launch/logging.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "launch/progress.h"
#include "pipeline/files.h"

namespace penstock::launch {
namespace {

constexpr size_t kept_lines = 30;

std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt>& recent() {
  static auto sink = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kept_lines);
  return sink;
}

spdlog::color_mode mode_of(Color color) {
  switch (color) {
    case Color::always: return spdlog::color_mode::always;
    case Color::never: return spdlog::color_mode::never;
    case Color::automatic: break;
  }
  return spdlog::color_mode::automatic;
}

}  // namespace

void start_logging(int rank, const Voice& voice) {
  std::vector<spdlog::sink_ptr> sinks = {recent()};
  recent()->set_pattern("%H:%M:%S %v");
  if (rank == 0) {
    auto console = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode_of(voice.color));
    console->set_level(voice.quiet ? spdlog::level::err : voice.verbose ? spdlog::level::debug : spdlog::level::info);
    console->set_pattern(std::string(shows_bar(voice) ? clear_line : "") + "%H:%M:%S %^%v%$");
    sinks.push_back(std::move(console));
  }
  auto logger = std::make_shared<spdlog::logger>("penstock", sinks.begin(), sinks.end());
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void log_to(const std::filesystem::path& folder, int rank) {
  pipeline::make_folder(folder);
  auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>((folder / ("rank-" + std::to_string(rank) + ".log")).string());
  file->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  spdlog::default_logger()->sinks().push_back(std::move(file));
}

std::string end_of_log() {
  std::string text;
  for (const std::string& line : recent()->last_formatted()) text += line;
  return text;
}

}  // namespace penstock::launch
