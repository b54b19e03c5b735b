#include "distributed/printable.h"

#include <algorithm>
#include <cstdint>

namespace penstock::distributed {
namespace {

// The length of the well-formed UTF-8 sequence that `text` begins with; 0: none. Overlong forms, surrogates and what
// lies beyond U+10FFFF are not well-formed (Unicode 15, table 3-7).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<uint8_t>(text[at]) : uint8_t{0}; };
  const auto continues = [&](size_t at, uint8_t low = 0x80, uint8_t high = 0xBF) {
    return byte(at) >= low && byte(at) <= high;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const uint8_t low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const uint8_t low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// Terminals act on U+0000 to U+001F, U+007F and U+0080 to U+009F.
bool is_control(std::string_view sequence) {
  const auto first = static_cast<uint8_t>(sequence[0]);
  return first < 0x20 || first == 0x7F || (first == 0xC2 && static_cast<uint8_t>(sequence[1]) < 0xA0);
}

void add_escaped(std::string& out, std::string_view bytes) {
  constexpr char digits[] = "0123456789ABCDEF";
  for (const char byte : bytes) {
    out += "\\x";
    out += digits[static_cast<uint8_t>(byte) >> 4];
    out += digits[static_cast<uint8_t>(byte) & 15];
  }
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string escaped(std::string_view text, bool one_line) {
  if (is_printable_ascii(text)) return std::string(text);  // as most names are
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (!one_line && text.starts_with("\r\n")) {
      text.remove_prefix(1);
      continue;
    }
    const bool breaks = sequence == "\n" || sequence == "\t";
    if (breaks && one_line) {
      out += sequence == "\n" ? "\\n" : "\\t";
    } else if (length == 0 || (is_control(sequence) && !breaks)) {
      add_escaped(out, sequence);
    } else {
      out += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  return out;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable_text(std::string_view text) { return escaped(text, false); }
std::string printable_name(std::string_view name) { return escaped(name, true); }

std::string_view beginning_of(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  for (size_t back = 0; back < 4 && back <= bytes; ++back) {
    const bool begins = (static_cast<uint8_t>(text[bytes - back]) & 0xC0) != 0x80;
    if (begins) return text.substr(0, bytes - back);
  }
  return text.substr(0, bytes);
}

}  // namespace penstock::distributed
