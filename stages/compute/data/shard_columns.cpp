#include "stages/compute/data/shard_columns.h"

#include <fmt/format.h>

#include <algorithm>

#include "distributed/check.h"
#include "stages/images/label_codec.h"
#include "stages/images/pixel_values.h"
#include "stages/packs/sample_pack.h"
#include "stages/resize_modes.h"

namespace penstock::stages {

using pipeline::Value;

namespace {

constexpr uint64_t raw_limit = uint64_t{64} << 20;   // of one file
constexpr uint64_t chunk_bytes = uint64_t{1} << 20;  // about

constexpr ShardDataSet ids_set = {"ids", "fixed-length UTF-8", "sample", "the source image's id"};
constexpr ShardDataSet labelled_set = {"labelled", "uint8", "sample", "1 when the sample has masks"};
constexpr ShardDataSet labels_set = {"labels", "uint16", "value",
                                     "native label maps one after another: 0 background, 1..n objects"};
constexpr ShardDataSet offset_set = {"offset", "int64", "sample + 1",
                                     "where each sample's label map begins in labels, and where the last ends"};
constexpr ShardDataSet height_set = {"height", "int32", "sample", "native height, pixels"};
constexpr ShardDataSet width_set = {"width", "int32", "sample", "native width, pixels"};

}  // namespace

// Writes data sets with the words that describe them.
class ShardColumns::File {
 public:
  File(const char* format, const std::vector<ShardDataSet>& described) : described_(described) {
    file_.attribute("format", format);
  }
  void add(std::string_view name, Element element, std::vector<uint64_t> shape, const void* data, uint64_t chunk_rows,
           bool deflated = false) {
    const ShardDataSet& set = about(name);
    file_.add({set.name, element, std::move(shape), set.axes, set.meaning, chunk_rows, deflated}, data);
  }
  // What both layouts end with: ids, native label maps and sizes.
  void add_samples(const ShardColumns& columns) {
    const uint64_t samples = columns.ids_.size();
    file_.add_texts("ids", columns.ids_, about("ids").meaning);
    add("labelled", Element::u8, {samples}, columns.labelled_.data(), samples);
    const LabelColumn& labels = columns.labels_;
    add("labels", labels.is_wide() ? Element::u32 : Element::u16, {labels.size()}, labels.data(),
        chunk_bytes / sizeof(uint16_t), true);
    add("offset", Element::i64, {samples + 1}, columns.offset_.data(), samples + 1);
    add("height", Element::i32, {samples}, columns.height_native_.data(), samples);
    add("width", Element::i32, {samples}, columns.width_native_.data(), samples);
  }
  Hdf5Image finish() { return file_.finish(); }

 private:
  const ShardDataSet& about(std::string_view name) const {
    const auto found = std::find_if(described_.begin(), described_.end(),
                                    [name](const ShardDataSet& one) { return one.name == name; });
    PENSTOCK_CHECK(found != described_.end(), "a data set of a shard is described");
    return *found;
  }

  const std::vector<ShardDataSet>& described_;
  Hdf5Writer file_;
};

void LabelColumn::add(std::span<const Label> labels) {
  Label bits = 0;
  for (const Label label : labels) bits |= label;
  if (!is_wide() && bits <= most_narrow_label) {
    narrow_.insert(narrow_.end(), labels.begin(), labels.end());
    return;
  }
  if (!is_wide()) wide_.assign(narrow_.begin(), narrow_.end()), narrow_ = {};
  wide_.insert(wide_.end(), labels.begin(), labels.end());
}

void ShardColumns::add(const Value& record, const Pack& pack) {
  if (count() == 0) {  // what stays unused of it costs no memory; growing would copy all, time and again
    images_.reserve(raw_limit);
    masks_.reserve(raw_limit / pixel_bytes());
    labels_.reserve(raw_limit / sizeof(uint16_t));
  }
  const std::string id = record.at("id");
  const PackedArray image = pack.array(pack_entry::image(id));
  if (image.element == image_element()) {
    images_.insert(images_.end(), image.bytes.begin(), image.bytes.end());
  } else {  // of 8 bits, among others of 16
    const std::vector<uint8_t> wide = widened(image.bytes);
    images_.insert(images_.end(), wide.begin(), wide.end());
  }
  place(record);
  ids_.push_back(id);
  height_native_.push_back(record.at("height"));
  width_native_.push_back(record.at("width"));
  labelled_.push_back(record.at("labelled").get<bool>());
  if (labelled_.back()) {
    const auto mask = pack.array(pack_entry::mask(id)).bytes;
    masks_.insert(masks_.end(), mask.begin(), mask.end());
    const LabelMap map =
        decode_labels(pack.array(pack_entry::labels(id)).bytes, record.at("height"), record.at("width"), id);
    labels_.add(map.labels);
  } else {
    masks_.resize(images_.size() / pixel_bytes());
  }
  offset_.push_back(static_cast<int64_t>(labels_.size()));
}

namespace {

// What every shard has of its samples, behind what only this layout has.
std::vector<ShardDataSet> with_samples(std::vector<ShardDataSet> own) {
  own.insert(own.end(), {ids_set, labelled_set, labels_set, offset_set, height_set, width_set});
  return own;
}

// The data sets of a layout, by the bits of its images.
struct Described {
  std::vector<ShardDataSet> narrow, wide;

  const std::vector<ShardDataSet>& of(Element images) const { return images == Element::u8 ? narrow : wide; }
};

Described described_by(const ShardDataSet& narrow, const ShardDataSet& wide, const std::vector<ShardDataSet>& rest) {
  const auto with_images = [&rest](const ShardDataSet& images) {
    std::vector<ShardDataSet> sets = {images};
    sets.insert(sets.end(), rest.begin(), rest.end());
    return with_samples(std::move(sets));
  };
  return {with_images(narrow), with_images(wide)};
}

class GridColumns final : public ShardColumns {
 public:
  GridColumns(int height, int width, int channels, int bits)
      : ShardColumns(channels, bits), height_(height), width_(width) {}

  bool is_full_for(const Value&) const override { return bytes() >= raw_limit - raw_limit / 8; }

  Hdf5Image to_hdf5() const override {
    const uint64_t rows = sample_.size();
    const auto h = static_cast<uint64_t>(height_), w = static_cast<uint64_t>(width_),
               c = static_cast<uint64_t>(channels_);
    const uint64_t chunk_rows = std::max<uint64_t>(1, chunk_bytes / (h * w * pixel_bytes()));
    File file("Penstock shard 1", data_sets());
    file.add("images", image_element(), {rows, h, w, c}, images_.data(), chunk_rows);
    file.add("masks", Element::u8, {rows, h, w}, masks_.data(), chunk_rows);
    file.add("sample", Element::u32, {rows}, sample_.data(), rows);
    file.add("origin", Element::i32, {rows, 2}, origin_.data(), rows);
    file.add_samples(*this);
    return file.finish();
  }

  const std::vector<ShardDataSet>& data_sets() const override {
    static const std::vector<ShardDataSet> rest = {
        {"masks", "uint8", "row, y, x", "class index: 0 background, 1 nucleus; 0 throughout where not labelled"},
        {"sample", "uint32", "row", "which sample of this file the row belongs to"},
        {"origin", "int32", "row, (y, x)", "where the row's upper left corner lies in its sample, grid pixels"},
    };
    static const Described described =
        described_by({"images", "uint8", "row, y, x, channel", "the sample on the training grid, 0..255"},
                     {"images", "uint16", "row, y, x, channel", "the sample on the training grid, 0..65535"}, rest);
    return described.of(image_element());
  }

  std::string samples_in_words() const override {
    return fmt::format("samples of {} x {} pixels with {} channel(s)", width_, height_, channels_);
  }
  std::string python() const override { return "    image, mask = file[\"images\"][0], file[\"masks\"][0]\n"; }

 private:
  void place(const Value&) override {
    sample_.push_back(count());
    origin_.insert(origin_.end(), {0, 0});
  }

  const int height_, width_;
  std::vector<uint32_t> sample_;
  std::vector<int32_t> origin_;
};

class OwnSizeColumns final : public ShardColumns {
 public:
  OwnSizeColumns(int channels, int bits, SampleRule rule) : ShardColumns(channels, bits), rule_(std::move(rule)) {}

  // A sample that is larger than the limit is a file of its own.
  bool is_full_for(const Value& record) const override {
    const uint64_t pixels = record.at("grid_height").get<uint64_t>() * record.at("grid_width").get<uint64_t>();
    const uint64_t native = record.at("labelled").get<bool>()
                                ? record.at("height").get<uint64_t>() * record.at("width").get<uint64_t>()
                                : 0;
    return count() > 0 && bytes() + pixels * (pixel_bytes() + 1) + native * sizeof(uint16_t) > raw_limit;
  }

  Hdf5Image to_hdf5() const override {
    const uint64_t samples = count(), pixels = masks_.size();
    const auto c = static_cast<uint64_t>(channels_);
    File file("Penstock shard 2", data_sets());
    file.add("images", image_element(), {pixels, c}, images_.data(), chunk_bytes / pixel_bytes());
    file.add("masks", Element::u8, {pixels}, masks_.data(), chunk_bytes);
    file.add("image_offset", Element::i64, {samples + 1}, image_offset_.data(), samples + 1);
    file.add("sample_height", Element::i32, {samples}, height_.data(), samples);
    file.add("sample_width", Element::i32, {samples}, width_.data(), samples);
    file.add_samples(*this);
    return file.finish();
  }

  const std::vector<ShardDataSet>& data_sets() const override {
    static const std::vector<ShardDataSet> rest = {
        {"masks", "uint8", "pixel", "class index: 0 background, 1 nucleus; 0 throughout where not labelled"},
        {"image_offset", "int64", "sample + 1",
         "where each sample begins in images and masks, pixels, and where the last ends"},
        {"sample_height", "int32", "sample", "height of the sample, pixels"},
        {"sample_width", "int32", "sample", "width of the sample, pixels"},
    };
    static const Described described = described_by(
        {"images", "uint8", "pixel, channel", "the samples' pixels one after another, each row by row, 0..255"},
        {"images", "uint16", "pixel, channel", "the samples' pixels one after another, each row by row, 0..65535"},
        rest);
    return described.of(image_element());
  }

  std::string samples_in_words() const override {
    return fmt::format("{}, with {} channel(s)", in_words(rule_), channels_);
  }
  std::string python() const override {
    return "    begin, end = file[\"image_offset\"][0], file[\"image_offset\"][1]\n"
           "    height, width = file[\"sample_height\"][0], file[\"sample_width\"][0]\n"
           "    image = file[\"images\"][begin:end].reshape(height, width, -1)\n"
           "    mask = file[\"masks\"][begin:end].reshape(height, width)\n";
  }

 private:
  void place(const Value& record) override {
    height_.push_back(record.at("grid_height"));
    width_.push_back(record.at("grid_width"));
    const int64_t end = image_offset_.back() + int64_t{height_.back()} * width_.back();
    PENSTOCK_CHECK(images_.size() == static_cast<uint64_t>(end) * pixel_bytes(), "a sample has all pixels of its size");
    image_offset_.push_back(end);
  }

  const SampleRule rule_;
  std::vector<int32_t> height_, width_;
  std::vector<int64_t> image_offset_ = {0};
};

}  // namespace

std::unique_ptr<ShardColumns> make_shard_columns(const Value& index) {
  const SampleRule rule = sample_rule_from(index);
  const int channels = index.at("channels"), bits = index.value(sample_bits, 8);
  if (rule.own_size()) return std::make_unique<OwnSizeColumns>(channels, bits, rule);
  return std::make_unique<GridColumns>(rule.height, rule.width, channels, bits);
}

}  // namespace penstock::stages
