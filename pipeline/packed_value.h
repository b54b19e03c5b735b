// A Value as bytes between ranks (CBOR). JSON text refuses strings that are not UTF-8, and a path may be any bytes.
#pragma once

#include <string>

#include "pipeline/value.h"

namespace penstock::pipeline {

std::string packed(const Value& value);
// Throws nlohmann's parse error when `bytes` are not what packed() made.
Value unpacked(const std::string& bytes);

}  // namespace penstock::pipeline
