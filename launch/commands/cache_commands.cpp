#include "launch/commands/cache_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "launch/commands/cache_tables.h"
#include "launch/job/planned_config.h"
#include "pipeline/store/store_pins.h"

namespace penstock::launch {
namespace {

namespace fs = std::filesystem;
using pipeline::Digest;
using pipeline::Store;
using pipeline::Value;

constexpr const char* default_store = ".penstock";

int threads() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

fs::path store_of(const CacheOptions& options, const pipeline::StageTable& kinds) {
  if (!options.config.store.empty()) return options.config.store;
  if (options.config.file.empty()) return default_store;
  return pipeline::load_config(request_of(options.config), kinds).graph.store;
}

// ---- gc ----

// Every key that a configuration's plan reaches: published, or with unfinished progress.
void keep_all_of(const fs::path& config, const fs::path& store, const pipeline::StageTable& kinds,
                 std::set<Digest>& keep) {
  ConfigOptions options;
  options.file = config;
  options.store = store;
  const PlannedConfig planned = plan_config(options, kinds);
  pipeline::Publications published(planned.graph.nodes.size());
  for (size_t node = 0; node < published.size(); ++node) {
    published[node] = planned.plan.nodes[node].published;
    if (published[node]) {
      keep.insert(published[node]->action);
      continue;
    }
    const auto upstreams = upstreams_of(planned.graph.nodes[node]);
    const bool known = planned.plan.nodes[node].needed && std::all_of(upstreams.begin(), upstreams.end(), [&](int one) {
                         return published[one] != nullptr;
                       });
    if (known) keep.insert(action_fields(planned.graph, static_cast<int>(node), planned.plan, published).key());
  }
}

pipeline::CollectionRequest collection_of(const CacheOptions& options, const fs::path& store,
                                          const pipeline::StageTable& kinds) {
  pipeline::CollectionRequest request;
  request.grace = std::chrono::seconds(static_cast<int64_t>(options.grace * 3600));
  if (options.older_than)
    request.older_than = std::chrono::seconds(static_cast<int64_t>(*options.older_than * 24 * 3600));
  request.max_bytes = options.max_bytes;
  for (const fs::path& config : options.keep) keep_all_of(config, store, kinds, request.keep);
  return request;
}

// ---- pin ----

// The action that "CONFIG STAGE[@RUN]" or the beginning of an action key means.
std::pair<Digest, std::string> pinned_action(const CacheOptions& options, const Store& store,
                                             const pipeline::StageTable& kinds) {
  if (!options.stage.empty()) {
    const PlannedConfig planned = plan_config(options.config, kinds);
    const int node = find_node(planned.graph, options.stage);
    const auto& published = planned.plan.nodes[node].published;
    if (!published)
      throw Error(ExitCode::data,
                  fmt::format("stage '{}' is not published in {}; run it first", options.stage, store.root().string()));
    return {published->action, label_of(planned.graph, node)};
  }
  std::vector<std::pair<Digest, std::string>> found;
  for (const auto& one : pipeline::publications_of(store, threads())) {
    if (one.publication.action.hex().starts_with(options.what)) found.emplace_back(one.publication.action, one.stage);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw Error(ExitCode::usage, fmt::format("no action key in {} begins with '{}' (see `penstock cache ls`); a stage "
                                             "is named after its configuration: CONFIG STAGE",
                                             store.root().string(), options.what));
  }
  std::string all;
  for (const auto& [action, stage] : found) all += fmt::format("\n  {} {}", action.hex(), stage);
  throw Error(ExitCode::usage, fmt::format("{} action keys begin with '{}':{}", found.size(), options.what, all));
}

int code_of(const pipeline::Transferred& done) { return done.refused.empty() ? 0 : static_cast<int>(ExitCode::data); }

}  // namespace

int cache_ls_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const Store store(store_of(options, kinds), Store::Mode::read_only);
  print_inventory(store, pipeline::take_inventory(store, threads()), options.sort, output);
  return 0;
}

int cache_verify_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const Store store(store_of(options, kinds), options.repair ? Store::Mode::read_write : Store::Mode::read_only);
  const auto found = pipeline::verify_store(store, options.repair, threads());
  print_verification(store, found, options.repair, output);
  return found.bad.empty() ? 0 : static_cast<int>(ExitCode::data);
}

int cache_gc_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const Store store(store_of(options, kinds), options.yes ? Store::Mode::read_write : Store::Mode::read_only);
  const auto request = collection_of(options, store.root(), kinds);
  auto collection = plan_collection(store, take_inventory(store, threads()), request);
  if (options.yes) collection = collect(store, collection);
  print_collection(store, collection, request, options.yes, output);
  return 0;
}

int cache_pin_command(const CacheOptions& given, bool pinned, const OutputFlags& output,
                      const pipeline::StageTable& kinds) {
  CacheOptions options = given;
  if (!options.stage.empty()) options.config.file = options.what;
  const Store store(store_of(options, kinds), Store::Mode::read_only);
  const auto [action, label] = pinned_action(options, store, kinds);
  const bool before = is_pinned(store, action);
  if (pinned)
    pin(store, action, label);
  else
    unpin(store, action);
  if (output.json) {
    std::cout << Value{{"action", action.hex()}, {"stage", label}, {"pinned", pinned}, {"before", before}}.dump()
              << '\n';
  } else {
    std::cout << fmt::format("{} {}: {}{}\n", label, short_name(action), before == pinned ? "was " : "",
                             pinned ? "pinned" : "not pinned");
  }
  return 0;
}

int cache_export_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const PlannedConfig planned = plan_config(options.config, kinds);
  Store to(options.folder, Store::Mode::read_write);
  if (fs::equivalent(to.root(), planned.store.root()))
    throw Error(ExitCode::usage, fmt::format("{} is the configuration's own store", to.root().string()));
  std::vector<pipeline::Parcel> parcels;
  std::vector<std::string> missing;
  for (size_t node = 0; node < planned.plan.nodes.size(); ++node) {
    const auto& state = planned.plan.nodes[node];
    if (!state.needed) continue;
    if (state.published)
      parcels.push_back({state.published, {state.recipe}});
    else
      missing.push_back(label_of(planned.graph, static_cast<int>(node)));
  }
  if (parcels.empty())
    throw Error(ExitCode::data, fmt::format("nothing of {} is published in {}; run it first",
                                            options.config.file.string(), planned.store.root().string()));
  if (!missing.empty()) std::cerr << fmt::format("not published, and left out: {}\n", fmt::join(missing, ", "));
  const auto done = transfer(planned.store, to, parcels);
  print_transfer(to, done, output);
  return code_of(done);
}

int cache_import_command(const CacheOptions& options, const OutputFlags& output, const pipeline::StageTable& kinds) {
  const Store from(options.folder, Store::Mode::read_only);
  const auto parcels = pipeline::all_parcels(from);
  Store to(store_of(options, kinds), Store::Mode::read_write);
  if (fs::equivalent(to.root(), from.root()))
    throw Error(ExitCode::usage, fmt::format("{} is this store itself", from.root().string()));
  const auto done = transfer(from, to, parcels);
  print_transfer(to, done, output);
  return code_of(done);
}

}  // namespace penstock::launch
