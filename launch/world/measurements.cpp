#include "launch/world/measurements.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <filesystem>

#include "distributed/error.h"
#include "distributed/world.h"
#include "pipeline/files.h"
#include "pipeline/store/attempt.h"
#include "pipeline/store/stat_cache.h"

namespace penstock::launch {
namespace {

using pipeline::Value;

std::filesystem::path measurements_file() { return pipeline::user_cache_folder() / "measurements.json"; }

Value all_measurements() {
  try {
    Value all = Value::parse(pipeline::read_file(measurements_file()));
    if (all.is_array()) return all;
  } catch (const std::exception&) {
    // None yet, or an incomplete file: as if nothing were measured.
  }
  return Value::array();
}

// What determines the time of a step, besides its number of samples.
Value shape_of(const stages::BenchRequest& request) {
  return {{"base_channels", request.base_channels},
          {"depth", request.depth},
          {"channels", request.channels},
          {"norm", request.norm},
          {"size", request.size},
          {"micro_batch", request.micro_batch}};
}

}  // namespace

void keep_measurement(const stages::BenchRequest& request, const Value& result) {
  if (!request.compare.empty() || (request.what == "reduce" && result.at("ranks") == 1)) return;
  Value record = result;
  record["host"] = distributed::host_name();
  record["time"] = pipeline::utc_text(std::chrono::system_clock::now());
  if (request.what == "train") record["request"] = shape_of(request), record["global_batch"] = request.global_batch;
  const auto same = [&](const Value& other) {
    for (const char* key : {"what", "host", "ranks", "threads", "request", "global_batch"}) {
      if (other.value(key, Value()) != record.value(key, Value())) return false;
    }
    return true;
  };
  Value all = Value::array();
  Value before = all_measurements();
  for (Value& other : before) {
    if (!same(other)) all.push_back(std::move(other));
  }
  all.push_back(std::move(record));
  try {
    pipeline::write_file(measurements_file(), all.dump(1) + "\n");
  } catch (const Error& error) {
    spdlog::debug("the measurement could not be recorded: {}", error.what());
  }
}

Value measured_steps(const stages::BenchRequest& like) {
  Value newest;
  const Value all = all_measurements();
  for (const Value& record : all) {
    if (record.value("what", "") == "train" && record.value("host", "") == distributed::host_name() &&
        record.value("request", Value()) == shape_of(like))
      newest = record;
  }
  return newest;
}

Value measured_link() {
  Value best;
  const Value all = all_measurements();
  for (const Value& record : all) {
    if (record.value("what", "") != "reduce" || record.value("host", "") != distributed::host_name() ||
        !record.contains("link"))
      continue;
    if (best.is_null() || record.at("ranks") >= best.at("ranks")) best = record;
  }
  return best;
}

}  // namespace penstock::launch
