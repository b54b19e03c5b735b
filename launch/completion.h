// Scripts that complete commands, flags and their values in a shell, made from the command line as it is declared.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace penstock::launch {

// `shell` is bash, zsh or fish. A value is completed from its type name where that lists choices
// ("auto|bar|plain|none"), else from the files.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace penstock::launch
