#include "pipeline/counted.h"

namespace penstock::pipeline {

std::string counted(int64_t number, std::string_view noun, std::string_view plural) {
  std::string text = with_commas(number).append(" ");
  if (number == 1) return text.append(noun);
  return plural.empty() ? text.append(noun).append("s") : text.append(plural);
}

std::string with_commas(std::string digits) {
  const size_t first = digits.starts_with('-') ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace penstock::pipeline
