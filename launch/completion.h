// Scripts that complete commands, flags and values in a shell, generated from the registered commands.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace penstock::launch {

// `shell` is bash, zsh or fish. A value is completed from its type name where that lists choices
// ("auto|bar|plain|none"), else from the files.
std::string completion_script(const CLI::App& app, const std::string& shell);

// Adds the command that prints it, for all commands that `app` has by then.
void add_completion(CLI::App& app);

}  // namespace penstock::launch
