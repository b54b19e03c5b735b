// init: looks at somebody's data and writes a configuration for them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "launch/commands/commands.h"
#include "launch/commands/first_configuration.h"
#include "pipeline/files.h"
#include "stages/compute_library.h"
#include "stages/survey.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

struct InitFlags {
  fs::path input, output;
  std::string images, masks;
};

// "My nuclei (2).zip" -> "My-nuclei-2": what a pipeline may be called.
std::string name_from(const fs::path& input) {
  const fs::path last = input.has_filename() ? input.filename() : input.parent_path().filename();
  std::string name;
  for (const char c : fs::is_directory(input) ? last.string() : last.stem().string()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_';
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "pipeline" : name;
}

// As seen from the configuration's folder where the two lie in one place, so that both may be moved together.
std::string seen_from(const fs::path& configuration, const fs::path& input) {
  const fs::path folder = fs::absolute(configuration).parent_path();
  const fs::path near = fs::absolute(input).lexically_normal().lexically_proximate(folder);
  return near.string().starts_with("..") ? fs::absolute(input).lexically_normal().string() : near.string();
}

int init_command(const InitFlags& flags, const OutputFlags& output) {
  const std::string name = name_from(flags.input);
  const fs::path file = flags.output.empty() ? fs::path(name + ".toml") : flags.output;
  if (fs::exists(file))
    throw Error(ExitCode::cannot_create, file.string() + ": exists already; give another name with --output");
  const Value found = stages::compute_library().survey({flags.input, {flags.images, flags.masks}});
  pipeline::write_file(file,
                       first_configuration({name, seen_from(file, flags.input), flags.images, flags.masks}, found));
  if (output.json) {
    std::cout << Value{{"configuration", file.string()}, {"found", found}}.dump() << '\n';
  } else {
    std::cout << fmt::format("{}\nwrote {}; next: penstock run {}\n", found.at("layout").get<std::string>(),
                             file.string(), file.string());
  }
  return 0;
}

}  // namespace

void add_init(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("init", "look at images and masks, and write a configuration for them");
  const auto flags = std::make_shared<InitFlags>();
  command->add_option("INPUT", flags->input, "an archive or a folder")->required();
  command->add_option("--output", flags->output, "the configuration's file; else INPUT's name with .toml, here")
      ->type_name("FILE");
  command->add_option("--images", flags->images, "which files are images: \"raw/{id}.tif\"")->type_name("PATTERN");
  command->add_option("--masks", flags->masks, "which files are masks: \"gt/{id}_*.png\"")->type_name("PATTERN");
  command->callback([flags, &context] { context.code = init_command(*flags, context.output); });
}

}  // namespace penstock::launch
