#include "launch/commands/cache_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>

#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/store/attempt.h"

namespace penstock::launch {
namespace {

using pipeline::Store;
using pipeline::Value;

constexpr size_t shown_digits = 10;  // of a key

std::string size_text(uint64_t bytes) {
  static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1000 && unit + 1 < std::size(units); ++unit) size /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, units[unit]);
}

// ---- ls ----

struct Row {
  const pipeline::StoredPublication* publication;
  uint64_t bytes;
};

std::vector<Row> rows_of(const pipeline::Inventory& inventory, const std::string& sort) {
  std::vector<Row> rows;
  for (const auto& one : inventory.publications) {
    uint64_t bytes = 0;
    for (const auto& port : one.publication.ports) {
      const auto object = inventory.objects.find(port.digest);
      if (object != inventory.objects.end()) bytes += object->second.bytes();
    }
    rows.push_back({&one, bytes});
  }
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    if (sort == "size") return a.bytes > b.bytes;
    if (sort == "used") return a.publication->used > b.publication->used;
    return a.publication->published < b.publication->published;
  });
  return rows;
}

struct Sum {
  const char* name;
  size_t count;
  uint64_t bytes;
};

std::vector<Sum> sums_of(const pipeline::Inventory& inventory) {
  const auto sum = [](const char* name, const auto& table) {
    Sum all{name, table.size(), 0};
    for (const auto& [key, stored] : table) all.bytes += stored.bytes();
    return all;
  };
  Sum staging{"staging", inventory.staging.size(), 0};
  for (const auto& entry : inventory.staging) staging.bytes += entry.stored.bytes();
  return {sum("objects", inventory.objects), sum("chunks", inventory.chunks), sum("progress", inventory.progress),
          sum("attempts", inventory.attempts), staging};
}

Value ls_json(const Store& store, const std::vector<Row>& rows, const std::vector<Sum>& sums, uint64_t bytes) {
  Value publications = Value::array();
  for (const Row& row : rows) {
    const auto& one = *row.publication;
    publications.push_back({{"stage", one.stage},
                            {"kind", one.publication.kind},
                            {"action", one.publication.action.hex()},
                            {"published", pipeline::utc_text(one.published)},
                            {"used", pipeline::utc_text(one.used)},
                            {"bytes", row.bytes},
                            {"pinned", one.pinned}});
  }
  Value said = {{"store", distributed::printable_name(store.root().string())},
                {"bytes", bytes},
                {"publications", std::move(publications)}};
  for (const Sum& sum : sums) said[sum.name] = {{"count", sum.count}, {"bytes", sum.bytes}};
  return said;
}

Value gc_json(const Store& store, const pipeline::Collection& collection, bool removed) {
  Value items = Value::array();
  for (const auto& one : collection.condemned) {
    const bool named = one.digest != pipeline::Digest();
    items.push_back({{"kind", name_of(one.kind)},
                     {"name", named ? one.digest.hex() : one.paths.front().filename().string()},
                     {"stage", one.stage},
                     {"why", one.why},
                     {"bytes", one.bytes}});
  }
  return {{"store", distributed::printable_name(store.root().string())},
          {"removed", removed},
          {"bytes", collection.bytes},
          {"freed", collection.freed()},
          {"items", std::move(items)}};
}

// All of a kind that go for one reason.
struct GcRow {
  pipeline::Remnant kind;
  std::string why;
  size_t count = 0;
  uint64_t bytes = 0;
  std::vector<std::string> stages;
};

void print_rows(const pipeline::Collection& collection) {
  std::vector<GcRow> rows;
  for (const auto& one : collection.condemned) {
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const GcRow& other) { return other.kind == one.kind && other.why == one.why; });
    if (row == rows.end()) row = rows.insert(row, {one.kind, one.why, 0, 0, {}});
    ++row->count;
    row->bytes += one.bytes;
    const bool known = std::find(row->stages.begin(), row->stages.end(), one.stage) != row->stages.end();
    if (!one.stage.empty() && !known) row->stages.push_back(one.stage);
  }
  for (const GcRow& row : rows) {
    const std::string of = row.stages.empty() ? "" : fmt::format(" ({})", fmt::join(row.stages, ", "));
    std::cout << fmt::format("{:12} {:>6} {:>10}  {}{}\n", name_of(row.kind), row.count, size_text(row.bytes), row.why,
                             of);
  }
}

}  // namespace

std::string short_name(const pipeline::Digest& digest) { return digest.hex().substr(0, shown_digits); }

void print_inventory(const Store& store, const pipeline::Inventory& inventory, const std::string& sort,
                     const OutputFlags& output) {
  const auto rows = rows_of(inventory, sort);
  const auto sums = sums_of(inventory);
  const uint64_t bytes = pipeline::Room(inventory).bytes();
  if (output.json) {
    std::cout << ls_json(store, rows, sums, bytes).dump() << '\n';
    return;
  }
  if (!rows.empty())
    std::cout << fmt::format("{:20} {:12} {:20} {:20} {:>10}     {}\n", "STAGE", "KIND", "PUBLISHED", "USED", "SIZE",
                             "KEY");
  for (const Row& row : rows) {
    const auto& one = *row.publication;
    std::cout << fmt::format("{:20} {:12} {:20} {:20} {:>10} {} {}\n", one.stage, one.publication.kind,
                             pipeline::utc_text(one.published), pipeline::utc_text(one.used), size_text(row.bytes),
                             one.pinned ? "pin" : "   ", short_name(one.publication.action));
  }
  std::cout << fmt::format("{}: {}, {} in all, what is hard-linked counted once\n", store.root().string(),
                           pipeline::counted(rows.size(), "publication"), size_text(bytes));
  for (const Sum& sum : sums)
    std::cout << fmt::format("  {:10} {:>8} {:>10}\n", sum.name, sum.count, size_text(sum.bytes));
}

void print_collection(const Store& store, const pipeline::Collection& collection,
                      const pipeline::CollectionRequest& request, bool removed, const OutputFlags& output) {
  if (output.json) {
    std::cout << gc_json(store, collection, removed).dump() << '\n';
    return;
  }
  print_rows(collection);
  std::cout << fmt::format("{}: {} of {} {}\n", store.root().string(), size_text(collection.freed()),
                           size_text(collection.bytes),
                           removed ? "freed" : "can go; nothing was removed, --yes does it");
  if (request.max_bytes && collection.bytes - collection.freed() > *request.max_bytes) {
    std::cout << fmt::format("what stays is more than {}: it is pinned, kept, in use, or was used within the grace\n",
                             size_text(*request.max_bytes));
  }
}

void print_verification(const Store& store, const pipeline::Verification& found, bool repaired,
                        const OutputFlags& output) {
  if (output.json) {
    Value bad = Value::array();
    for (const auto& one : found.bad)
      bad.push_back(
          {{"what", one.what}, {"digest", one.digest.hex()}, {"stages", one.stages}, {"problem", one.problem}});
    std::cout << Value{{"store", distributed::printable_name(store.root().string())},
                       {"objects", found.objects},
                       {"chunks", found.chunks},
                       {"keys", found.keys},
                       {"bytes", found.bytes},
                       {"repaired", repaired && !found.bad.empty()},
                       {"bad", std::move(bad)}}
                     .dump()
              << '\n';
    return;
  }
  for (const auto& one : found.bad) {
    std::cout << fmt::format("{} {} of {} {}\n", one.what, short_name(one.digest),
                             one.stages.empty() ? "an unknown stage" : fmt::format("{}", fmt::join(one.stages, ", ")),
                             one.problem);
  }
  std::cout << fmt::format("{}: {}, {} and {}, {} read; {} bad\n", store.root().string(),
                           pipeline::counted(found.objects, "object"), pipeline::counted(found.chunks, "chunk"),
                           pipeline::counted(found.keys, "key"), size_text(found.bytes), found.bad.size());
  if (found.bad.empty()) return;
  std::cout << (repaired ? "moved aside; the next run makes it again\n"
                         : "`penstock cache verify --repair` moves it aside, so that the next run makes it again\n");
}

void print_transfer(const Store& to, const pipeline::Transferred& done, const OutputFlags& output) {
  if (output.json) {
    std::cout << Value{{"store", distributed::printable_name(to.root().string())},
                       {"publications", done.publications},
                       {"kept", done.kept},
                       {"objects", done.objects},
                       {"bytes", done.bytes},
                       {"refused", done.refused}}
                     .dump()
              << '\n';
    return;
  }
  std::cout << fmt::format("{}: {}, {} copied ({})\n", to.root().string(),
                           pipeline::counted(done.publications, "publication"),
                           pipeline::counted(done.objects, "output"), size_text(done.bytes));
  if (done.kept > 0) std::cout << fmt::format("{} had been published there with other bytes: those stay\n", done.kept);
  for (const std::string& problem : done.refused) std::cout << fmt::format("left out: {}\n", problem);
}

}  // namespace penstock::launch
