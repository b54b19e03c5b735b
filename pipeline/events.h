// events.jsonl: one JSON object per line with `time` (seconds since 1970), `event`, `stage`, and the event's own fields.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pipeline/value.h"

namespace penstock::pipeline {

// Thread-safe. On ranks other than 0, and where no file is named, events go to the listener only.
class Events {
 public:
  Events() = default;
  // Appends to `file`; each line is written at once.
  explicit Events(std::filesystem::path file);

  // `fields` is an object; NaN and infinities become the words "nan", "inf", "-inf".
  void emit(std::string_view event, Value fields);
  void set_stage(const std::string& stage);
  // Called for each event in order (progress bars).
  void listen(std::function<void(const Value&)> listener);

 private:
  std::mutex mutex_;
  std::filesystem::path file_;
  std::string stage_;
  std::function<void(const Value&)> listener_;
};

}  // namespace penstock::pipeline
