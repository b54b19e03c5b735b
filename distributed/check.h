// Checks of what the program's own code must guarantee. A failed check is a programmer's mistake: exit code 70.
#pragma once

#include <string_view>

namespace penstock {

// Throws Error(ExitCode::internal) with file, line, the condition and the sentence.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view sentence);

}  // namespace penstock

// `sentence` says what was expected, and where it helps what was found; it is evaluated on failure only:
// PENSTOCK_CHECK(rank < size, fmt::format("a rank is below {}, found {}", size, rank)).
#define PENSTOCK_CHECK(condition, sentence)                                               \
  do {                                                                                    \
    if (!(condition)) ::penstock::check_failed(__FILE__, __LINE__, #condition, sentence); \
  } while (false)
