// Packs: many small arrays in one file, a safetensors container that any safetensors reader opens.
//
// FORMATS.md says which arrays each port holds, sample_pack.h their names. Bytes depend only on what was added: tensors
// are laid out by size of element, largest first, then by name; the header is padded to 8 bytes. A writer belongs to
// one thread; an open pack may be read by any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/value.h"

namespace penstock::stages {

enum class Element { u8, u16, i32, f32, f64, i64, u32 };  // safetensors' U8, U16, I32, F32, F64, I64, U32
size_t bytes_of(Element element);

// One array inside a pack; `bytes` points into the open pack and lives as long as it.
struct PackedArray {
  Element element = Element::u8;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};

// Collects arrays and writes them at once, atomically. A call out of order (an array of a closed sample, an array or a
// sample twice, bytes that do not fill the shape) fails a check.
class PackWriter {
 public:
  explicit PackWriter(std::string kind);
  ~PackWriter();
  // `name` is "<id>/<what>" for arrays of a sample.
  void add(const std::string& name, Element element, const std::vector<int64_t>& shape, std::span<const uint8_t> bytes);
  // As add(), but the bytes stay the caller's, where and as they are until the pack is written.
  void add_view(const std::string& name, Element element, const std::vector<int64_t>& shape,
                std::span<const uint8_t> bytes);
  // Closes a sample, after its last array: its record gets `id` and `digest`, over its arrays and over `fields`.
  void close_sample(const std::string& id, pipeline::Value fields);
  // More keys beside "schema", "kind", "samples" in the pack's JSON (a model's or checkpoint's own header).
  void set(const std::string& key, pipeline::Value value);
  void write(const std::filesystem::path& path) const;
  // The file's bytes, one piece behind the other; they live as long as this, until the next call, and as what was added
  // as a view.
  std::vector<std::string_view> pieces() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A pack mapped into memory. Any thread may read. Throws Error(data) naming file and fault when the container is
// damaged (lengths, offsets, overlaps, header JSON); contents are covered by the digests of the stage that published
// the file.
class Pack {
 public:
  explicit Pack(const std::filesystem::path& path);
  ~Pack();
  Pack(Pack&&) noexcept;

  const pipeline::Value& header() const;                // the JSON of __metadata__.penstock, {} when absent
  const std::vector<pipeline::Value>& samples() const;  // the records, sorted by id
  std::vector<std::string> names() const;               // of all arrays, sorted
  bool has(std::string_view name) const;
  PackedArray array(std::string_view name) const;  // Error(data) when absent

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::stages
