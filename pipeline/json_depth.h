// How deep JSON text is nested, before it is parsed. The parser takes any depth, but copies of what it gives, and texts
// of it, call themselves once a level: a small file of nothing but brackets would end the process. Pure; any thread.
#pragma once

#include <string_view>

namespace penstock::pipeline {

inline constexpr int most_json_depth = 100;  // what the program writes is nested less than ten deep

// Whether lists and objects are nested more than most_json_depth deep. Text that is no JSON has some answer.
bool is_json_too_deep(std::string_view text);

}  // namespace penstock::pipeline
