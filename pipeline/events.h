// events.jsonl: one JSON object per line with `time` (seconds since 1970), `event`, `stage`, and the event's own
// fields.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pipeline/value.h"

namespace penstock::pipeline {

// Thread-safe. Without a file, events go to the listener only.
class Events {
 public:
  Events() = default;
  // Appends to `file`, whose folder is made; each line is one write, so that several writers do not mix. `stage`
  // is the field of events that do not name one; `listener` is called for each event in order (progress bars).
  Events(std::filesystem::path file, std::string stage, std::function<void(const Value&)> listener = nullptr);

  // `fields` is an object; NaN and infinities become the words "nan", "inf", "-inf".
  void emit(std::string_view event, Value fields);

 private:
  std::mutex mutex_;
  std::filesystem::path file_;
  std::string stage_;
  std::function<void(const Value&)> listener_;
};

}  // namespace penstock::pipeline
