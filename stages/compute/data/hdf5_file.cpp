#include "stages/compute/data/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>

#include "distributed/check.h"
#include "distributed/error.h"

namespace penstock::stages {
namespace {

// An HDF5 identifier that closes itself.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }  // NOLINT: every HDF5 function takes it

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

void silence() {
  static const bool once = [] {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    // Objects are never written again, and may lie on a read-only disk. Once: no thread may read the environment then.
    return setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1) == 0;
  }();
  (void)once;
}

hid_t type_of(Element element) {
  switch (element) {
    case Element::u8:
      return H5T_STD_U8LE;
    case Element::u16:
      return H5T_STD_U16LE;
    case Element::i32:
      return H5T_STD_I32LE;
    case Element::f32:
      return H5T_IEEE_F32LE;
    case Element::f64:
      return H5T_IEEE_F64LE;
    case Element::i64:
      return H5T_STD_I64LE;
    case Element::u32:
      return H5T_STD_U32LE;
  }
  return -1;
}

void must(bool good, const char* what) {
  if (!good) throw Error(ExitCode::internal, fmt::format("HDF5 could not {}", what));
}

void set_text_attribute(hid_t object, const std::string& name, const std::string& text) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);  // h5py reads these as str, fixed lengths as bytes
  H5Tset_cset(type, H5T_CSET_UTF8);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const char* characters = text.c_str();
  must(attribute >= 0 && H5Awrite(attribute, type, &characters) >= 0, "write an attribute");
}

// The core driver's buffer, followed through its allocations, so that it can be taken when the file closes: an image
// taken from an open file has a wrong superblock checksum.
struct Buffer {
  size_t size = 0;
  Hdf5Image closed;
};

void* image_malloc(size_t size, H5FD_file_image_op_t, void* user) {
  static_cast<Buffer*>(user)->size = size;
  return std::malloc(size);
}
void* image_realloc(void* memory, size_t size, H5FD_file_image_op_t, void* user) {
  static_cast<Buffer*>(user)->size = size;
  return std::realloc(memory, size);
}
herr_t image_free(void* memory, H5FD_file_image_op_t operation, void* user) {
  if (operation == H5FD_FILE_IMAGE_OP_FILE_CLOSE) {
    auto& buffer = *static_cast<Buffer*>(user);
    buffer.closed = Hdf5Image(memory, buffer.size);
  } else {
    std::free(memory);
  }
  return 0;
}

// The superblock's end-of-file address (HDF5 file format specification, superblock version 2 and 3).
uint64_t end_of_file(std::string_view bytes) {
  constexpr size_t address_at = 28;
  must(bytes.size() > address_at + 8, "give a whole file");
  uint64_t end = 0;
  std::memcpy(&end, bytes.data() + address_at, sizeof end);
  must(end <= bytes.size(), "give a whole file");
  return end;
}

Handle chunked(const std::vector<hsize_t>& shape, uint64_t rows, bool deflated) {
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  std::vector<hsize_t> chunk = shape;
  chunk[0] = std::clamp<hsize_t>(rows, 1, std::max<hsize_t>(shape[0], 1));
  H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
  if (deflated) H5Pset_deflate(properties, 1);
  H5Pset_fletcher32(properties);
  H5Pset_obj_track_times(properties, false);
  return properties;
}

}  // namespace

struct Hdf5Writer::State {
  Buffer buffer;
  hid_t file = -1;
};

Hdf5Writer::Hdf5Writer() : state_(std::make_unique<State>()) {
  silence();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Pset_fapl_core(access, size_t{1} << 20, false);
  H5FD_file_image_callbacks_t callbacks = {};
  callbacks.image_malloc = image_malloc;
  callbacks.image_realloc = image_realloc;
  callbacks.image_free = image_free;
  callbacks.udata_copy = [](void* user) { return user; };
  callbacks.udata_free = [](void*) -> herr_t { return 0; };
  callbacks.udata = &state_->buffer;
  H5Pset_file_image_callbacks(access, &callbacks);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false);
  // HDF5 takes two files of one name for one file, also in memory; the name does not stand in the file.
  static std::atomic<uint64_t> made{0};
  const std::string name = "in memory " + std::to_string(made++);
  state_->file = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation, access);
  must(state_->file >= 0, "make a file in memory");
}

Hdf5Writer::~Hdf5Writer() {
  if (state_->file >= 0) H5Fclose(state_->file);
}

void Hdf5Writer::add(const Hdf5Array& about, const void* data) {
  const std::vector<hsize_t> shape(about.shape.begin(), about.shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const bool empty = std::count(shape.begin(), shape.end(), hsize_t{0}) > 0;
  const Handle plain(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(plain, false);
  const Handle properties = empty ? Handle(H5Pcopy(plain), H5Pclose) : chunked(shape, about.chunk_rows, about.deflated);
  const Handle set(
      H5Dcreate2(state_->file, about.name.c_str(), type_of(about.element), space, H5P_DEFAULT, properties, H5P_DEFAULT),
      H5Dclose);
  must(set >= 0, "make a data set");
  must(empty || H5Dwrite(set, type_of(about.element), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0, "write a data set");
  set_text_attribute(set, "axes", about.axes);
  set_text_attribute(set, "meaning", about.meaning);
}

void Hdf5Writer::add_texts(const std::string& name, const std::vector<std::string>& texts, const std::string& meaning) {
  size_t widest = 1;
  for (const std::string& text : texts) widest = std::max(widest, text.size());
  std::string fixed(texts.size() * widest, '\0');
  for (size_t i = 0; i < texts.size(); ++i) std::copy(texts[i].begin(), texts[i].end(), fixed.begin() + i * widest);
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, widest);
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const std::vector<hsize_t> shape = {texts.size()};
  const Handle space(H5Screate_simple(1, shape.data(), nullptr), H5Sclose);
  const Handle properties = chunked(shape, texts.size(), false);
  const Handle set(H5Dcreate2(state_->file, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  must(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, fixed.data()) >= 0, "write texts");
  set_text_attribute(set, "axes", "sample");
  set_text_attribute(set, "meaning", meaning);
}

void Hdf5Writer::attribute(const std::string& name, const std::string& text) {
  set_text_attribute(state_->file, name, text);
}

Hdf5Image Hdf5Writer::finish() {
  const hid_t file = std::exchange(state_->file, -1);
  PENSTOCK_CHECK(file >= 0, "an HDF5 file is finished once");
  must(H5Fclose(file) >= 0, "close a file");
  Hdf5Image image = std::move(state_->buffer.closed);
  image.cut(end_of_file(image.bytes()));
  return image;
}

struct Hdf5Reader::State {
  std::string path;
  hid_t file = -1;
  std::map<std::string, Handle> by_rows;  // data sets that rows were read of

  [[noreturn]] void damaged(const std::string& fault) const { throw Error(ExitCode::data, path + ": " + fault); }
  Handle open(const std::string& name) const {
    Handle set(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
    if (set < 0) damaged("has no data set '" + name + "'");
    return set;
  }
  void require_type(hid_t set, const std::string& name, Element element) const {
    const Handle type(H5Dget_type(set), H5Tclose);
    if (H5Tequal(type, type_of(element)) <= 0) damaged("data set '" + name + "' has another element type");
  }
  // Without a cache of chunks, which would be a MiB for each data set of each open file.
  hid_t open_by_rows(const std::string& name, Element element) {
    if (const auto found = by_rows.find(name); found != by_rows.end()) {
      require_type(found->second, name, element);
      return found->second;
    }
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    H5Pset_chunk_cache(access, 0, 0, 1);
    Handle set(H5Dopen2(file, name.c_str(), access), H5Dclose);
    if (set < 0) damaged("has no data set '" + name + "'");
    require_type(set, name, element);
    return by_rows.emplace(name, std::move(set)).first->second;
  }
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  silence();
  state_->path = path.string();
  state_->file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (state_->file < 0) state_->damaged("is not a readable HDF5 file");
}

Hdf5Reader::~Hdf5Reader() {
  state_->by_rows.clear();
  if (state_->file >= 0) H5Fclose(state_->file);
}

std::vector<uint64_t> Hdf5Reader::shape(const std::string& name) const {
  const Handle set = state_->open(name);
  const Handle space(H5Dget_space(set), H5Sclose);
  std::vector<hsize_t> sides(static_cast<size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, sides.data(), nullptr);
  return {sides.begin(), sides.end()};
}

Element Hdf5Reader::element(const std::string& name) const {
  const Handle set = state_->open(name);
  const Handle type(H5Dget_type(set), H5Tclose);
  for (const Element one :
       {Element::u8, Element::u16, Element::u32, Element::i32, Element::i64, Element::f32, Element::f64}) {
    if (H5Tequal(type, type_of(one)) > 0) return one;
  }
  state_->damaged("data set '" + name + "' has an element type that shards do not have");
}

std::vector<uint8_t> Hdf5Reader::read(const std::string& name, Element element) const {
  size_t bytes = bytes_of(element);
  for (const uint64_t side : shape(name)) bytes *= side;
  std::vector<uint8_t> data(bytes);
  const Handle set = state_->open(name);
  state_->require_type(set, name, element);
  if (bytes > 0 && H5Dread(set, type_of(element), H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()) < 0) {
    state_->damaged("data set '" + name + "' cannot be read: its checksum is wrong");
  }
  return data;
}

std::vector<uint8_t> Hdf5Reader::read_rows(const std::string& name, Element element, uint64_t first,
                                           uint64_t count) const {
  const hid_t set = state_->open_by_rows(name, element);
  const Handle space(H5Dget_space(set), H5Sclose);
  std::vector<hsize_t> sides(static_cast<size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, sides.data(), nullptr);
  if (sides.empty() || first + count > sides[0])
    state_->damaged(fmt::format("data set '{}' ends before row {}", name, first + count));
  sides[0] = count;
  size_t bytes = bytes_of(element);
  for (const hsize_t side : sides) bytes *= side;
  std::vector<uint8_t> data(bytes);
  if (bytes == 0) return data;
  std::vector<hsize_t> from(sides.size(), 0);
  from[0] = first;
  const Handle shape(H5Screate_simple(static_cast<int>(sides.size()), sides.data(), nullptr), H5Sclose);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, from.data(), nullptr, sides.data(), nullptr);
  if (H5Dread(set, type_of(element), shape, space, H5P_DEFAULT, data.data()) < 0)
    state_->damaged("data set '" + name + "' cannot be read: its checksum is wrong");
  return data;
}

std::vector<std::string> Hdf5Reader::read_texts(const std::string& name) const {
  const Handle set = state_->open(name);
  const Handle type(H5Dget_type(set), H5Tclose);
  const size_t width = H5Tget_size(type);
  const size_t count = shape(name).at(0);
  std::string fixed(count * width, '\0');
  if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, fixed.data()) < 0)
    state_->damaged("data set '" + name + "' cannot be read");
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) texts.emplace_back(fixed.substr(i * width, width).c_str());
  return texts;
}

}  // namespace penstock::stages
