#include "distributed/watchdog/settle.h"

#include <string>
#include <thread>

namespace penstock::distributed {
namespace {

constexpr int report_tag = 1;   // a rank's outcome, to rank 0
constexpr int verdict_tag = 2;  // rank 0's answer
constexpr auto poll_interval = std::chrono::milliseconds(1);

// An outcome on the wire: code, rank, message.
std::string packed(int rank, const Outcome& outcome) {
  return std::to_string(static_cast<int>(outcome.code)) + " " + std::to_string(rank) + " " + outcome.message;
}

Agreed unpacked(const std::string& text) {
  const size_t first = text.find(' '), second = text.find(' ', first + 1);
  return {std::stoi(text.substr(first + 1)), {static_cast<ExitCode>(std::stoi(text)), text.substr(second + 1)}};
}

std::optional<Message> receive_until(Communicator& ranks, int from, int tag,
                                     std::optional<std::chrono::steady_clock::time_point> deadline) {
  for (;;) {
    if (auto message = ranks.poll(from, tag)) return message;
    if (deadline && std::chrono::steady_clock::now() > *deadline) return std::nullopt;
    std::this_thread::sleep_for(poll_interval);
  }
}

}  // namespace

std::optional<Agreed> settle(Communicator& ranks, const Outcome& mine, std::chrono::milliseconds patience) {
  if (ranks.size() == 1) return Agreed{mine.code == ExitCode::done ? -1 : 0, mine};
  const auto meeting = ranks.meet("how it ended");
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (mine.code != ExitCode::done) deadline = std::chrono::steady_clock::now() + patience;
  if (ranks.rank() != 0) {
    ranks.send(0, report_tag, packed(ranks.rank(), mine));
    const auto verdict = receive_until(ranks, 0, verdict_tag, deadline);
    return verdict ? std::optional(unpacked(verdict->bytes)) : std::nullopt;
  }
  Agreed all{mine.code == ExitCode::done ? -1 : 0, mine};
  for (int rank = 1; rank < ranks.size(); ++rank) {
    const auto report = receive_until(ranks, rank, report_tag, deadline);
    if (!report) return std::nullopt;
    Agreed theirs = unpacked(report->bytes);
    if (theirs.outcome.code != ExitCode::done && all.rank < 0) all = std::move(theirs);
  }
  for (int rank = 1; rank < ranks.size(); ++rank) ranks.send(rank, verdict_tag, packed(all.rank, all.outcome));
  return all;
}

}  // namespace penstock::distributed
