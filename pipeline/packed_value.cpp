#include "pipeline/packed_value.h"

namespace penstock::pipeline {

std::string packed(const Value& value) {
  std::string bytes;
  Value::to_cbor(value, bytes);
  return bytes;
}

Value unpacked(const std::string& bytes) { return Value::from_cbor(bytes); }

}  // namespace penstock::pipeline
