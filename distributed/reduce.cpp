#include "distributed/reduce.h"

namespace penstock::distributed {
namespace {

template <typename T>
void add(void* to, const void* from, size_t count) {
  T* sums = static_cast<T*>(to);
  const T* terms = static_cast<const T*>(from);
  for (size_t i = 0; i < count; ++i) sums[i] = static_cast<T>(sums[i] + terms[i]);
}

}  // namespace

void add_into(void* to, const void* from, size_t count, DataType type) {
  switch (type) {
    case DataType::u8:
      return add<uint8_t>(to, from, count);
    case DataType::i32:
      return add<int32_t>(to, from, count);
    case DataType::i64:
      return add<int64_t>(to, from, count);
    case DataType::u64:
      return add<uint64_t>(to, from, count);
    case DataType::f32:
      return add<float>(to, from, count);
    case DataType::f64:
      return add<double>(to, from, count);
  }
}

}  // namespace penstock::distributed
