// A configuration value: boolean, integer (int64), number (double), word, or a list of these.
// Integers and numbers are distinct kinds, in files and in keys.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::pipeline {

using Value = nlohmann::json;

// All parameters of one stage instance, defaults included. A parameter inside a table has a dotted name
// ("early_stopping.patience"); names never hold other tables.
using Values = std::map<std::string, Value>;

}  // namespace penstock::pipeline
