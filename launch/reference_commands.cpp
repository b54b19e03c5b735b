// The commands that tell what a configuration may say, to people and to editors: stages --markdown, schema.
#include <fmt/format.h>

#include <iostream>

#include "launch/commands.h"
#include "pipeline/json_schema.h"
#include "pipeline/reference.h"
#include "stages/links.h"

namespace penstock::launch {

namespace {

// The links of plan --world, and the model that uses them.
std::string links_section() {
  std::string text = R"(
## Links of `penstock plan --world`

`--link NAME`, figures such as `--link 5us,12GB/s`, or `--link measured` (what `penstock bench reduce` found here). A message of m bytes
takes latency + m / bandwidth (Thakur, Rabenseifner and Gropp 2005). On n ranks a bucket of B bytes takes with `reproducible = "run"`
2 (n - 1) (latency + B / (n bandwidth)), a ring; with `"world"` (n - 1) (latency + w B / (n bandwidth)) + (n - 1) (latency + B / (n bandwidth)),
slices to everybody and back, w being the most nodes of the tree that a rank sends. With `--ranks-per-node K` a ring goes as fast as its slowest
link, and K ranks share their node's one link to others. A step takes rounds x micro-shard + exposed + update: rounds = a rank's most
micro-shards / its threads, rounded up; exposed is what of the exchange outlasts the last round's backward, two thirds of a micro-shard, when
each bucket goes out as soon as backward has come to it and those before it are through (`overlap = "off"`: all of the exchange; `"auto"` is taken as on). Not in the
model: the additions, other jobs on the same switches, reading files, validation, checkpoints. `plan --json` adds all of it as `world`.

| link | latency | bandwidth | source |
|---|---|---|---|
)";
  for (const stages::NamedLink& one : stages::known_links()) {
    const std::string figures = stages::figures_of(one.link);
    const size_t comma = figures.find(", ");
    text += fmt::format("| `{}` | {} | {} | {} |\n", one.name, figures.substr(0, comma), figures.substr(comma + 2), one.source);
  }
  return text;
}

}  // namespace

int markdown_command(const std::string& kind, const pipeline::StageTable& kinds) {
  std::cout << (kind.empty() ? pipeline::reference_page(kinds) + links_section() : pipeline::reference_section(known_kind(kind, kinds)));
  return 0;
}

int schema_command(const pipeline::StageTable& kinds) {
  std::cout << pipeline::json_schema(kinds).dump(1) << '\n';
  return 0;
}

}  // namespace penstock::launch
