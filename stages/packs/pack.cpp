#include "stages/packs/pack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "distributed/check.h"
#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/files.h"
#include "pipeline/json_depth.h"
#include "pipeline/tree_walk.h"
#include "pipeline/whole_number.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* element_names[] = {"U8", "U16", "I32", "F32", "F64", "I64", "U32"};
constexpr size_t element_bytes[] = {1, 2, 4, 4, 8, 8, 4};
constexpr size_t alignment = 8;
constexpr const char* own_key = "penstock";

std::optional<Element> element_of(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(element_names)); ++i) {
    if (name == element_names[i]) return static_cast<Element>(i);
  }
  return std::nullopt;
}

std::string little_endian(uint64_t value) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

struct Stored {
  Element element;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
  std::vector<uint8_t> copy = {};  // nothing for a view

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

}  // namespace

size_t bytes_of(Element element) { return element_bytes[static_cast<int>(element)]; }

struct PackWriter::State {
  Value header;
  std::map<std::string, Stored> arrays;
  std::map<std::string, Value> samples;
  std::string head;  // of the file that pieces() gave last
};

PackWriter::PackWriter(std::string kind) : state_(std::make_unique<State>()) {
  state_->header = {{"schema", 1}, {"kind", std::move(kind)}};
}
PackWriter::~PackWriter() = default;

void PackWriter::add(const std::string& name, Element element, const std::vector<int64_t>& shape,
                     std::span<const uint8_t> bytes) {
  add_view(name, element, shape, bytes);
  Stored& array = state_->arrays.at(name);
  array.copy.assign(bytes.begin(), bytes.end());
  array.bytes = array.copy;
}

void PackWriter::add_view(const std::string& name, Element element, const std::vector<int64_t>& shape,
                          std::span<const uint8_t> bytes) {
  size_t expected = bytes_of(element);
  for (const int64_t side : shape) {
    PENSTOCK_CHECK(side >= 0, fmt::format("a side of array '{}' is not negative, is {}", name, side));
    expected *= static_cast<size_t>(side);
  }
  PENSTOCK_CHECK(expected == bytes.size(), fmt::format("an array's bytes fill its shape: '{}' takes {} bytes, got {}",
                                                       name, expected, bytes.size()));
  PENSTOCK_CHECK(!state_->samples.count(name.substr(0, name.find('/'))),
                 fmt::format("a sample's arrays are added before it is closed; its digest would lack '{}'", name));
  const bool fresh = state_->arrays.emplace(name, Stored{element, shape, bytes}).second;
  PENSTOCK_CHECK(fresh, fmt::format("an array is added to a pack once; '{}' is there already", name));
}

void PackWriter::close_sample(const std::string& id, Value fields) {
  pipeline::Hasher hasher;
  hasher.field(fields.dump());
  const std::string prefix = id + "/";
  auto array = state_->arrays.lower_bound(prefix);
  PENSTOCK_CHECK(array != state_->arrays.end() && array->first.starts_with(prefix),
                 fmt::format("a sample that is closed has arrays; none begins with '{}'", prefix));
  PENSTOCK_CHECK(!state_->samples.count(id), fmt::format("a sample is closed once; '{}' is closed already", id));
  for (; array != state_->arrays.end() && array->first.starts_with(prefix); ++array) {
    hasher.field(array->first).field(static_cast<int>(array->second.element));
    for (const int64_t side : array->second.shape) hasher.field(side);
    hasher.field(array->second.text());
  }
  fields["id"] = id;
  fields["digest"] = hasher.finish().hex();
  state_->samples[id] = std::move(fields);
}

void PackWriter::set(const std::string& key, Value value) { state_->header[key] = std::move(value); }

std::vector<std::string_view> PackWriter::pieces() const {
  Value own = state_->header;
  own["samples"] = Value::array();
  for (const auto& [id, record] : state_->samples) own["samples"].push_back(record);
  Value header = {{"__metadata__", {{own_key, own.dump()}}}};
  // safetensors wants tensors without gaps; larger elements first keeps each aligned to its size.
  std::vector<const std::pair<const std::string, Stored>*> order;
  for (const auto& array : state_->arrays) order.push_back(&array);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return bytes_of(a->second.element) > bytes_of(b->second.element);
  });
  size_t offset = 0;
  for (const auto* array : order) {
    const size_t end = offset + array->second.bytes.size();
    header[array->first] = {{"dtype", element_names[static_cast<int>(array->second.element)]},
                            {"shape", array->second.shape},
                            {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((alignment - text.size() % alignment) % alignment, ' ');
  state_->head = little_endian(text.size()) + text;
  std::vector<std::string_view> pieces = {state_->head};
  for (const auto* array : order) pieces.push_back(array->second.text());
  return pieces;
}

void PackWriter::write(const std::filesystem::path& path) const { pipeline::write_file(path, pieces()); }

struct Pack::State {
  void* memory = MAP_FAILED;
  size_t size = 0;
  std::string path;
  Value header = Value::object();
  std::vector<Value> samples;
  std::map<std::string, PackedArray, std::less<>> arrays;

  ~State() {
    if (memory != MAP_FAILED) munmap(memory, size);
  }
  [[noreturn]] void damaged(const std::string& fault) const {
    throw Error(ExitCode::data, path + ": damaged pack: " + distributed::printable_name(fault));
  }
  void map() {
    pipeline::require_regular_file(path);
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw Error(ExitCode::data, path + ": cannot be read: " + std::strerror(errno));
    struct stat status = {};
    fstat(file, &status);
    size = static_cast<size_t>(status.st_size);
    if (size >= 8) memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (memory == MAP_FAILED) damaged(fmt::format("{} bytes hold no header", size));
  }
  void parse() {
    const auto* bytes = static_cast<const uint8_t*>(memory);
    uint64_t length = 0;
    for (int i = 0; i < 8; ++i) length |= uint64_t{bytes[i]} << (8 * i);
    if (length > size - 8) damaged(fmt::format("header of {} bytes in a file of {}", length, size));
    const std::string_view text(reinterpret_cast<const char*>(bytes) + 8, length);
    if (pipeline::is_json_too_deep(text)) damaged("its header is nested too deep");
    const Value json = Value::parse(text, nullptr, false);
    if (!json.is_object()) damaged("its header is not JSON");
    const std::span<const uint8_t> data(bytes + 8 + length, size - 8 - length);
    try {
      for (const auto& [name, about] : json.items()) {
        if (name == "__metadata__")
          read_own(about);
        else
          arrays.emplace(name, read_array(name, about, data));
      }
    } catch (const Value::exception& problem) {
      damaged(problem.what());
    }
  }
  void read_own(const Value& metadata) {
    if (!metadata.contains(own_key)) return;
    const std::string& text = metadata.at(own_key).get_ref<const std::string&>();
    if (pipeline::is_json_too_deep(text)) damaged("its header is nested too deep");
    header = Value::parse(text);
    for (const Value& sample : header.value("samples", Value::array())) samples.push_back(sample);
  }
  template <typename T>
  T whole(const std::string& name, const Value& number) const {
    const auto value = pipeline::whole_number<T>(number);
    if (!value) damaged("array '" + name + "' has the number " + number.dump());
    return *value;
  }
  PackedArray read_array(const std::string& name, const Value& about, std::span<const uint8_t> data) const {
    PackedArray array;
    const auto element = element_of(about.at("dtype").get<std::string>());
    if (!element) damaged("array '" + name + "' has the unknown type " + about.at("dtype").dump());
    array.element = *element;
    for (const Value& side : about.at("shape")) array.shape.push_back(whole<int64_t>(name, side));
    const auto begin = whole<uint64_t>(name, about.at("data_offsets").at(0));
    const auto end = whole<uint64_t>(name, about.at("data_offsets").at(1));
    if (begin > end || end > data.size()) damaged("array '" + name + "' lies outside the file");
    uint64_t expected = bytes_of(array.element);
    for (const int64_t side : array.shape) {
      if (side < 0 || (side > 0 && expected > data.size() / static_cast<uint64_t>(side) + 1))
        damaged("array '" + name + "' has an impossible shape");
      expected *= static_cast<uint64_t>(side);
    }
    if (expected != end - begin) damaged("array '" + name + "' does not fill its shape");
    array.bytes = data.subspan(begin, end - begin);
    return array;
  }
};

Pack::Pack(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->path = path.string();
  state_->map();
  state_->parse();
}
Pack::~Pack() = default;
Pack::Pack(Pack&&) noexcept = default;

const Value& Pack::header() const { return state_->header; }
const std::vector<Value>& Pack::samples() const { return state_->samples; }
bool Pack::has(std::string_view name) const { return state_->arrays.find(name) != state_->arrays.end(); }

std::vector<std::string> Pack::names() const {
  std::vector<std::string> all;
  for (const auto& [name, array] : state_->arrays) all.push_back(name);
  return all;
}

PackedArray Pack::array(std::string_view name) const {
  const auto found = state_->arrays.find(name);
  if (found == state_->arrays.end()) state_->damaged(fmt::format("it has no array '{}'", name));
  return found->second;
}

}  // namespace penstock::stages
