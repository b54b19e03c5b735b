// Numbers of JSON that anyone may have written, each with the range in which it makes sense. Pure.
#pragma once

#include <cstdint>

#include "pipeline/value.h"

namespace penstock::pipeline {

// object[key], from `low` to `high`. Throw Error(data) that names the key, what was read and the range;
// Value::exception where the key is missing.
int64_t whole_number_in(const Value& object, const char* key, int64_t low, int64_t high);
double number_in(const Value& object, const char* key, double low, double high);

// The same of a key that may be missing.
int64_t whole_number_in(const Value& object, const char* key, int64_t low, int64_t high, int64_t missing);
double number_in(const Value& object, const char* key, double low, double high, double missing);

}  // namespace penstock::pipeline
