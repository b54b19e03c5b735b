#include "launch/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <sstream>

#include "distributed/check.h"

namespace penstock::launch {
namespace {

struct Flag {
  std::vector<std::string> names;  // "-j", "--jobs"
  std::string help;
  bool takes_value = false;
  bool again = false;                // may be given more than once
  std::vector<std::string> choices;  // of its value
};

struct Command {
  std::string name, help;
  std::vector<Flag> flags;
  std::vector<std::string> choices;  // of its words that are no flags
};

// "auto|bar|plain" -> auto, bar, plain.
std::vector<std::string> choices_of(const CLI::Option& option) {
  std::vector<std::string> choices;
  std::istringstream parts(option.get_type_name());
  for (std::string part; std::getline(parts, part, '|');) choices.push_back(part);
  return choices.size() > 1 ? choices : std::vector<std::string>{};
}

Command read(const CLI::App& app) {
  Command command{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      for (const std::string& choice : choices_of(*option)) command.choices.push_back(choice);
      continue;
    }
    Flag flag{{},
              option->get_description(),
              option->get_items_expected_min() > 0,
              option->get_expected_max() > 1,
              choices_of(*option)};
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    command.flags.push_back(std::move(flag));
  }
  return command;
}

std::vector<std::string> names_of(const Command& command) {
  std::vector<std::string> names;
  for (const Flag& flag : command.flags) names.insert(names.end(), flag.names.begin(), flag.names.end());
  return names;
}

// A backslash before each of `letters`.
std::string escaped(const std::string& text, const std::string& letters) {
  std::string out;
  for (const char letter : text) {
    if (letters.find(letter) != std::string::npos) out += '\\';
    out += letter;
  }
  return out;
}

// As one word of a POSIX shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return out + "'";
}

// ---- bash ----
std::string bash(const Command& top, const std::vector<Command>& commands) {
  std::vector<std::string> words = names_of(top);
  std::string flags, values, rest;
  for (const Command& command : commands) {
    words.push_back(command.name);
    flags += fmt::format("    {}) flags={} ;;\n", command.name,
                         quoted(fmt::format("{}", fmt::join(names_of(command), " "))));
    if (!command.choices.empty())
      rest += fmt::format("    {}) words={} ;;\n", command.name,
                          quoted(fmt::format("{}", fmt::join(command.choices, " "))));
    std::vector<std::string> plain;  // flags whose value may be anything
    for (const Flag& flag : command.flags) {
      std::vector<std::string> here;
      for (const std::string& name : flag.names) here.push_back(quoted(command.name + " " + name));
      if (!flag.takes_value) continue;
      if (flag.choices.empty()) {
        plain.insert(plain.end(), here.begin(), here.end());
      } else {
        values += fmt::format("    {}) value=yes words={} ;;\n", fmt::join(here, "|"),
                              quoted(fmt::format("{}", fmt::join(flag.choices, " "))));
      }
    }
    if (!plain.empty()) values += fmt::format("    {}) value=yes ;;\n", fmt::join(plain, "|"));
  }
  return fmt::format(R"(# Completion of {0} for bash. Load it with: source <({0} completion bash)
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command='' flags='' words='' value='' word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    if [[ $word != -* ]]; then command=$word; break; fi
  done
  COMPREPLY=()
  if [[ -z $command ]]; then
    COMPREPLY=($(compgen -W {1} -- "$current"))
    return
  fi
  case "$command $previous" in
{2}  esac
  case $command in
{3}  esac
  if [[ -z $value && $current == -* ]]; then
    words=$flags
  elif [[ -z $value ]]; then
    case $command in
{4}    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
# Where nothing is offered, names of files are.
complete -o default -F _{0} {0}
)",
                     top.name, quoted(fmt::format("{}", fmt::join(words, " "))), values, flags, rest);
}

// ---- zsh ----
std::string zsh_flag(const Flag& flag) {
  const std::string help = "[" + escaped(flag.help, "[]:\\") + "]";
  const std::string value = !flag.takes_value      ? ""
                            : flag.choices.empty() ? ":value:_files"
                                                   : fmt::format(":value:({})", fmt::join(flag.choices, " "));
  std::string text;
  for (const std::string& name : flag.names) {
    const std::string others =
        flag.again || flag.names.size() == 1 ? "" : fmt::format("({})", fmt::join(flag.names, " "));
    text += "        " + quoted((flag.again ? "*" : others) + name + help + value) + " \\\n";
  }
  return text;
}

std::string zsh(const Command& top, const std::vector<Command>& commands) {
  std::string names, cases;
  for (const Command& command : commands) {
    names += "    " + quoted(command.name + ":" + escaped(command.help, ":\\")) + "\n";
    cases += fmt::format("    {})\n      _arguments \\\n", command.name);
    for (const Flag& flag : command.flags) cases += zsh_flag(flag);
    cases += command.choices.empty() ? "        '*:file:_files' ;;\n"
                                     : fmt::format("        '*:word:({})' ;;\n", fmt::join(command.choices, " "));
  }
  return fmt::format(R"(#compdef {0}
# Completion of {0} for zsh. Load it with: source <({0} completion zsh), or save it as _{0} in a folder of $fpath.
_{0}() {{
  local -a commands
  commands=(
{1}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case ${{words[1]}} in
{2}  esac
}}
if [[ ${{funcstack[1]}} == _{0} ]]; then _{0} "$@"; else compdef _{0} {0}; fi
)",
                     top.name, names, cases);
}

// ---- fish ----
std::string fish(const Command& top, const std::vector<Command>& commands) {
  const auto text = [](const std::string& words) { return "'" + escaped(words, "'\\") + "'"; };
  std::string out = fmt::format("# Completion of {0} for fish. Load it with: {0} completion fish | source\n", top.name);
  for (const Command& command : commands) {
    const std::string here = fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'", top.name, command.name);
    out += fmt::format("complete -c {} -n __fish_use_subcommand -f -a {} -d {}\n", top.name, command.name,
                       text(command.help));
    if (!command.choices.empty())
      out += fmt::format("{} -f -a {}\n", here, text(fmt::format("{}", fmt::join(command.choices, " "))));
    for (const Flag& flag : command.flags) {
      out += here;
      for (const std::string& name : flag.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (flag.takes_value)
        out += flag.choices.empty() ? " -r"
                                    : fmt::format(" -x -a {}", text(fmt::format("{}", fmt::join(flag.choices, " "))));
      out += fmt::format(" -d {}\n", text(flag.help));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  std::vector<Command> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(read(*command));
  const Command top = read(app);
  if (shell == "bash") return bash(top, commands);
  if (shell == "zsh") return zsh(top, commands);
  PENSTOCK_CHECK(shell == "fish", "the command line takes bash, zsh or fish");
  return fish(top, commands);
}

void add_completion(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "completion", "a script that completes commands and flags: source <(penstock completion bash)");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "the shell that reads it")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->type_name("bash|zsh|fish");
  command->callback([shell, &app] { std::cout << completion_script(app, *shell); });
}

}  // namespace penstock::launch
