// Text from outside (names of files, what other programs print) as messages, logs and JSON can hold it: a byte that is
// not UTF-8 and a control character become \xE4. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace penstock::distributed {

bool is_utf8(std::string_view text);

// Of several lines: line breaks (CRLF as LF) and tabs stay.
std::string printable_text(std::string_view text);

// Of one line, such as a file's name: line breaks and tabs become \n and \t.
std::string printable_name(std::string_view name);

// The longest beginning of at most `bytes` bytes that does not end within a character.
std::string_view beginning_of(std::string_view text, size_t bytes);

}  // namespace penstock::distributed
