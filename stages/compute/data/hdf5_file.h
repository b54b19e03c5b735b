// HDF5 files as whole values: built in memory and handed over as bytes, read by data set. Bytes depend only on what was
// added. A reader or writer is used by one thread at a time. Every data set is chunked with a fletcher32 checksum; the
// newest file layout checks metadata too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stages/packs/pack.h"

namespace penstock::stages {

struct Hdf5Array {
  std::string name;
  Element element = Element::u8;
  std::vector<uint64_t> shape;
  std::string axes;         // "row, y, x, channel"
  std::string meaning;      // one sentence
  uint64_t chunk_rows = 1;  // along the first axis
  bool deflated = false;
};

// The bytes of a finished file, in the memory in which HDF5 built it.
class Hdf5Image {
 public:
  Hdf5Image() = default;
  Hdf5Image(void* memory, size_t size) : memory_(static_cast<char*>(memory)), size_(size) {}

  std::string_view bytes() const { return {memory_.get(), size_}; }
  void cut(size_t size) { size_ = std::min(size, size_); }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> memory_;
  size_t size_ = 0;
};

class Hdf5Writer {
 public:
  Hdf5Writer();
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  void add(const Hdf5Array& about, const void* data);
  // Fixed-length UTF-8.
  void add_texts(const std::string& name, const std::vector<std::string>& texts, const std::string& meaning);
  void attribute(const std::string& name, const std::string& text);
  // Closes the file. Once.
  Hdf5Image finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One handle; one thread at a time. Throws Error(data) naming file and data set when it is damaged or not as expected.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::filesystem::path& path);
  ~Hdf5Reader();
  Hdf5Reader(const Hdf5Reader&) = delete;
  Hdf5Reader& operator=(const Hdf5Reader&) = delete;

  std::vector<uint64_t> shape(const std::string& name) const;
  Element element(const std::string& name) const;
  // The whole data set, whose element must be this one.
  std::vector<uint8_t> read(const std::string& name, Element element) const;
  // `count` rows from row `first` on, along the first axis. Reads the chunks that they lie in, and keeps none; the data
  // set stays open.
  std::vector<uint8_t> read_rows(const std::string& name, Element element, uint64_t first, uint64_t count) const;
  std::vector<std::string> read_texts(const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock::stages
