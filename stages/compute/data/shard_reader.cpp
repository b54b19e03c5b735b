#include "stages/compute/data/shard_reader.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "distributed/check.h"
#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/packs/sample_pack.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

template <typename T>
std::vector<T> values_in(const std::vector<uint8_t>& bytes) {
  std::vector<T> all(bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

template <typename T>
std::vector<T> values(const Hdf5Reader& file, const std::string& name, Element element) {
  return values_in<T>(file.read(name, element));
}

// `count` values from `begin` on.
std::vector<uint8_t> part(const std::vector<uint8_t>& all, size_t begin, size_t count) {
  PENSTOCK_CHECK(begin + count <= all.size(), "a sample's pixels lie within its file");
  return {all.begin() + static_cast<ptrdiff_t>(begin), all.begin() + static_cast<ptrdiff_t>(begin + count)};
}

// Takes the samples out of the index as they are read.
class IndexReader {
 public:
  explicit IndexReader(ShardIndex& index) : index_(index) {}

  // As nlohmann's parser calls it: false leaves out what was parsed.
  bool operator()(int depth, Value::parse_event_t event, Value& parsed) {
    if (depth == 1 && event == Value::parse_event_t::key) in_samples_ = parsed == "samples";
    if (depth != 2 || event != Value::parse_event_t::object_end || !in_samples_) return true;
    add(parsed);
    return false;
  }

 private:
  void add(const Value& sample) {
    const std::string& file = sample.at("file").get_ref<const std::string&>();
    const auto [found, is_new] = numbers_.try_emplace(file, static_cast<uint32_t>(index_.files.size()));
    if (is_new) index_.files.push_back(file);
    ShardRecord record{sample.at("id"),
                       pipeline::Digest::from_hex(sample.at("digest").get<std::string>()),
                       found->second,
                       sample.at("row"),
                       0,
                       0,
                       sample.at("labelled")};
    record.height = sample.value("grid_height", 0);
    record.width = sample.value("grid_width", 0);
    index_.samples.push_back(std::move(record));
  }

  ShardIndex& index_;
  std::map<std::string, uint32_t> numbers_;
  bool in_samples_ = false;
};

}  // namespace

ShardPlaces read_places(const Hdf5Reader& file, const ShardIndex& index, Truth truth) {
  ShardPlaces places;
  if (index.rule.own_size()) {
    places.begin = values<int64_t>(file, "image_offset", Element::i64);
    places.height = values<int32_t>(file, "sample_height", Element::i32);
    places.width = values<int32_t>(file, "sample_width", Element::i32);
  } else {
    const size_t rows = file.shape("images").at(0);
    places.height.assign(rows, index.rule.height), places.width.assign(rows, index.rule.width);
    for (size_t row = 0; row < rows; ++row)
      places.begin.push_back(static_cast<int64_t>(row) * index.rule.height * index.rule.width);
  }
  places.native_height = values<int32_t>(file, "height", Element::i32);
  places.native_width = values<int32_t>(file, "width", Element::i32);
  if (truth != Truth::masks) places.label_begin = values<int64_t>(file, "offset", Element::i64);
  return places;
}

std::vector<Label> read_labels(const Hdf5Reader& file, uint64_t first, uint64_t count) {
  const Element element = file.element("labels");
  if (element == Element::u32) return values_in<Label>(file.read_rows("labels", element, first, count));
  const auto narrow = values_in<uint16_t>(file.read_rows("labels", Element::u16, first, count));
  return {narrow.begin(), narrow.end()};
}

// Of each pixel the value of the native pixel that its centre lies in.
std::vector<uint16_t> nearest(std::span<const Label> native, int native_width, int native_height, int width,
                              int height) {
  const auto number = [](Label label) {
    return static_cast<uint16_t>(label == 0 ? 0 : 1 + (label - 1) % most_narrow_label);
  };
  if (native_width == width && native_height == height) {
    std::vector<uint16_t> values(native.size());
    std::transform(native.begin(), native.end(), values.begin(), number);
    return values;
  }
  const auto under = [](int place, int size, int native_size) {
    return static_cast<size_t>((2 * int64_t{place} + 1) * native_size / (2 * int64_t{size}));
  };
  std::vector<uint16_t> values;
  values.reserve(static_cast<size_t>(width) * static_cast<size_t>(height));
  for (int y = 0; y < height; ++y) {
    const size_t line = under(y, height, native_height) * static_cast<size_t>(native_width);
    for (int x = 0; x < width; ++x) values.push_back(number(native[line + under(x, width, native_width)]));
  }
  return values;
}

SamplePixels GridSample::pixels() const {
  if (source != nullptr) return source->pixels(number);
  SamplePixels own;
  own.image = image, own.mask = mask, own.objects = objects;
  return own;
}

const ShardRecord& ShardIndex::record(const std::string& id) const {
  const auto found =
      std::lower_bound(samples.begin(), samples.end(), id,
                       [](const ShardRecord& one, const std::string& wanted) { return one.id < wanted; });
  if (found == samples.end() || found->id != id)
    throw Error(ExitCode::data, "the split names the sample '" + id + "', which the shards do not hold");
  return *found;
}

ShardIndex read_shard_index(const std::filesystem::path& shards) {
  ShardIndex index;
  IndexReader reader(index);
  index.others = Value::parse(
      pipeline::read_file(shards / "index.json"),
      [&reader](int depth, Value::parse_event_t event, Value& parsed) { return reader(depth, event, parsed); });
  const Value& json = index.others;
  index.channels = json.at("channels");
  index.bits = json.value(sample_bits, 8);
  index.rule = sample_rule_from(json);
  return index;
}

std::vector<GridSample> read_samples(const std::filesystem::path& shards, const ShardIndex& index,
                                     const std::vector<std::string>& ids, Truth truth) {
  std::map<std::string, std::vector<size_t>> by_file;
  for (size_t i = 0; i < ids.size(); ++i) by_file[index.files[index.record(ids[i]).file]].push_back(i);
  std::vector<GridSample> samples(ids.size());
  for (const auto& [name, wanted] : by_file) {
    const Hdf5Reader file(shards / name);
    const auto images = file.read("images", index.image_element());
    const auto masks = file.read("masks", Element::u8);
    const ShardPlaces places = read_places(file, index, truth);
    std::vector<Label> labels;
    if (truth != Truth::masks) labels = read_labels(file, 0, file.shape("labels").at(0));
    for (const size_t i : wanted) {
      const ShardRecord& record = index.record(ids[i]);
      const auto row = static_cast<size_t>(record.row);
      GridSample& sample = samples[i];
      sample.id = ids[i];
      sample.width = places.width.at(row);
      sample.height = places.height.at(row);
      const auto begin = static_cast<size_t>(places.begin.at(row)),
                 pixel_bytes = static_cast<size_t>(index.channels) * bytes_of(index.image_element()),
                 pixels = static_cast<size_t>(sample.width) * static_cast<size_t>(sample.height);
      sample.image = part(images, begin * pixel_bytes, pixels * pixel_bytes);
      sample.labels.height = places.native_height.at(row);
      sample.labels.width = places.native_width.at(row);
      if (!record.labelled) continue;
      sample.mask = part(masks, begin, pixels);
      if (truth == Truth::masks) continue;
      const int64_t label_begin = places.label_begin.at(row), label_end = places.label_begin.at(row + 1);
      const std::span<const Label> native(&labels[static_cast<size_t>(label_begin)],
                                          static_cast<size_t>(label_end - label_begin));
      if (truth == Truth::native_labels)
        sample.labels.labels.assign(native.begin(), native.end());
      else
        sample.objects = nearest(native, sample.labels.width, sample.labels.height, sample.width, sample.height);
    }
  }
  return samples;
}

}  // namespace penstock::stages
