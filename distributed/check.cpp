#include "distributed/check.h"

#include <string>

#include "distributed/error.h"

namespace penstock {

void check_failed(const char* file, int line, const char* condition, std::string_view sentence) {
  throw Error(ExitCode::internal, std::string(file) + ":" + std::to_string(line) +
                                      ": internal error: " + std::string(sentence) + " (" + condition + ")");
}

}  // namespace penstock
