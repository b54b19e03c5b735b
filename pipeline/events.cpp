#include "pipeline/events.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <utility>

#include "distributed/check.h"
#include "pipeline/files.h"

namespace penstock::pipeline {
namespace {

// JSON has no NaN or infinity, and the library would write null: write the word instead.
void name_special_numbers(Value& value) {
  if (value.is_structured()) {
    for (auto& part : value) name_special_numbers(part);
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::isnan(number)) value = "nan";
    if (std::isinf(number)) value = number > 0 ? "inf" : "-inf";
  }
}

}  // namespace

Events::Events(std::filesystem::path file, std::string stage, std::function<void(const Value&)> listener)
    : file_(std::move(file)), stage_(std::move(stage)), listener_(std::move(listener)) {
  if (file_.has_parent_path()) make_folder(file_.parent_path());
}

void Events::emit(std::string_view event, Value fields) {
  PENSTOCK_CHECK(fields.is_object(), "an event's fields are a JSON object");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  name_special_numbers(fields);
  fields["time"] = std::chrono::duration<double>(now).count();
  fields["event"] = event;
  const std::lock_guard lock(mutex_);
  if (!fields.contains("stage")) fields["stage"] = stage_;
  if (!file_.empty()) std::ofstream(file_, std::ios::app) << fields.dump() + "\n";
  if (listener_) listener_(fields);
}

}  // namespace penstock::pipeline
