#include "stages/packs/quarantine.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/packs/json_file.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* fail_word = "fail";
constexpr const char* quarantine_word = "quarantine";
constexpr const char *key = "quarantined", *left_out_key = "left_out";
constexpr const char* chunk_file = "bad.json";
constexpr size_t shown_samples = 3;

Value listed(const BadSamples& bad) {
  Value rows = Value::array();
  for (const BadSample& one : bad) rows.push_back({{"id", one.id}, {"entry", one.entry}, {"reason", one.reason}});
  return rows;
}

}  // namespace

pipeline::About about_on_bad(const std::string& bad, const std::string& list) {
  return {
      .help = fmt::format("what becomes of a sample {}: {} stops the run; {} leaves the sample out as a whole, also "
                          "where one mask of many is broken, because training on a half-labelled image would be "
                          "wrong, and lists it with the reason in {}, in inspect's verdict and in the report",
                          bad, fail_word, quarantine_word, list),
      .choices = {fail_word, quarantine_word},
      .as_before = fail_word};
}

OnBad on_bad_named(std::string_view name) { return name == quarantine_word ? OnBad::quarantine : OnBad::fail; }

void write_bad(const std::filesystem::path& chunk, const BadSamples& bad) {
  if (!bad.empty()) pipeline::write_file(chunk / chunk_file, listed(bad).dump());
}

BadSamples bad_in(const std::vector<pipeline::SharedWork::Chunk>& chunks, OnBad on_bad) {
  BadSamples bad;
  for (const auto& chunk : chunks) {
    if (!std::filesystem::exists(chunk.folder / chunk_file)) continue;
    for (const Value& row : read_json(chunk.folder / chunk_file))
      bad.push_back({row.at("id"), row.at("entry"), row.at("reason")});
  }
  if (on_bad == OnBad::fail && !bad.empty()) throw Error(ExitCode::data, bad.front().reason);
  return bad;
}

void put_bad(Value& index, BadSamples bad, size_t samples, const std::string& stage, const std::string& list) {
  if (bad.empty()) return;
  std::sort(bad.begin(), bad.end(), [](const BadSample& a, const BadSample& b) { return a.id < b.id; });
  std::string first;
  for (size_t i = 0; i < std::min(bad.size(), shown_samples); ++i)
    first += fmt::format("{}{} ({})", i == 0 ? "" : "; ", distributed::printable_name(bad[i].id), bad[i].reason);
  if (bad.size() == samples) {
    throw Error(ExitCode::data, fmt::format("{}: none of the {} can be read, so nothing is left: {}", stage,
                                            pipeline::counted(static_cast<int64_t>(samples), "sample"), first));
  }
  if (bad.size() > shown_samples) first += fmt::format("; and {} more", bad.size() - shown_samples);
  spdlog::warn("{}: {} of {} cannot be read and {} left out (\"{}\" in {}): {}", stage, bad.size(),
               pipeline::counted(static_cast<int64_t>(samples), "sample"), bad.size() == 1 ? "is" : "are", key, list,
               first);
  index[key] = listed(bad);
}

Value quarantined_in(const Value& index) { return index.value(key, Value::array()); }

void put_left_out(Value& index, const Value& before) {
  std::set<std::string> ids = left_out_of(before);
  const auto add = [&](const Value& made) {
    for (const Value& row : quarantined_in(made)) ids.insert(row.at("id").get<std::string>());
  };
  add(before), add(index);
  if (!ids.empty()) index[left_out_key] = ids;
}

std::set<std::string> left_out_of(const Value& index) {
  return index.value(left_out_key, Value::array()).get<std::set<std::string>>();
}

}  // namespace penstock::stages
