#include <fmt/format.h>

#include <algorithm>

#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/hdf5_file.h"
#include "stages/images/label_codec.h"
#include "stages/images/packed_samples.h"
#include "stages/images/picture.h"
#include "stages/images/sample_pack.h"
#include "stages/shard.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr uint64_t raw_limit = uint64_t{64} << 20;  // of one file
constexpr const char* rows_file = "rows.json";

// What is in every file, for the files' attributes and for DATASET.md alike.
struct Described {
  const char* name;
  const char* type;
  const char* axes;
  const char* meaning;
};
constexpr Described described[] = {
    {"images", "uint8", "row, y, x, channel", "the sample on the training grid, 0..255"},
    {"masks", "uint8", "row, y, x", "class index: 0 background, 1 nucleus; 0 throughout where not labelled"},
    {"sample", "uint32", "row", "which sample of this file the row belongs to"},
    {"origin", "int32", "row, (y, x)", "where the row's upper left corner lies in its sample, grid pixels"},
    {"ids", "fixed-length UTF-8", "sample", "the source image's id"},
    {"labelled", "uint8", "sample", "1 when the sample has masks"},
    {"labels", "uint16", "value", "native label maps one after another: 0 background, 1..n objects"},
    {"offset", "int64", "sample + 1", "where each sample's label map begins in labels, and where the last ends"},
    {"height", "int32", "sample", "native height, pixels"},
    {"width", "int32", "sample", "native width, pixels"},
};

const Described& about(std::string_view name) {
  return *std::find_if(std::begin(described), std::end(described),
                       [name](const Described& one) { return one.name == name; });
}

// The samples of one file, collected column by column.
class Columns {
 public:
  Columns(int height, int width, int channels) : height_(height), width_(width), channels_(channels) {}

  uint64_t bytes() const { return images_.size() + masks_.size() + labels_.size() * 2; }
  uint32_t count() const { return static_cast<uint32_t>(ids_.size()); }

  void add(const std::string& id, const Value& record, const Pack& pack) {
    const auto image = pack.array(pack_entry::image(id)).bytes;
    images_.insert(images_.end(), image.begin(), image.end());
    sample_.push_back(count());
    origin_.insert(origin_.end(), {0, 0});
    ids_.push_back(id);
    height_native_.push_back(record.at("height"));
    width_native_.push_back(record.at("width"));
    labelled_.push_back(record.at("labelled").get<bool>());
    if (labelled_.back()) {
      const auto mask = pack.array(pack_entry::mask(id)).bytes;
      masks_.insert(masks_.end(), mask.begin(), mask.end());
      const LabelMap map =
          decode_labels(pack.array(pack_entry::labels(id)).bytes, record.at("height"), record.at("width"), id);
      labels_.insert(labels_.end(), map.labels.begin(), map.labels.end());
    } else {
      masks_.resize(images_.size() / channels_);
    }
    offset_.push_back(static_cast<int64_t>(labels_.size()));
  }

  std::string to_hdf5() const {
    const uint64_t rows = sample_.size(), samples = ids_.size();
    const auto h = static_cast<uint64_t>(height_), w = static_cast<uint64_t>(width_),
               c = static_cast<uint64_t>(channels_);
    const uint64_t chunk_rows = std::max<uint64_t>(1, (uint64_t{1} << 20) / (h * w * c));  // about 1 MiB
    Hdf5Writer file;
    file.attribute("format", "Penstock shard 1");
    add(file, "images", Element::u8, {rows, h, w, c}, images_.data(), chunk_rows);
    add(file, "masks", Element::u8, {rows, h, w}, masks_.data(), chunk_rows);
    add(file, "sample", Element::u32, {rows}, sample_.data(), rows);
    add(file, "origin", Element::i32, {rows, 2}, origin_.data(), rows);
    file.add_texts("ids", ids_, about("ids").meaning);
    add(file, "labelled", Element::u8, {samples}, labelled_.data(), samples);
    add(file, "labels", Element::u16, {labels_.size()}, labels_.data(), uint64_t{1} << 19, true);
    add(file, "offset", Element::i64, {samples + 1}, offset_.data(), samples + 1);
    add(file, "height", Element::i32, {samples}, height_native_.data(), samples);
    add(file, "width", Element::i32, {samples}, width_native_.data(), samples);
    return file.finish();
  }

 private:
  static void add(Hdf5Writer& file, const char* name, Element element, std::vector<uint64_t> shape, const void* data,
                  uint64_t chunk_rows, bool deflated = false) {
    file.add({name, element, std::move(shape), about(name).axes, about(name).meaning, chunk_rows, deflated}, data);
  }

  int height_, width_, channels_;
  std::vector<uint8_t> images_, masks_, labelled_;
  std::vector<uint32_t> sample_;
  std::vector<int32_t> origin_, height_native_, width_native_;
  std::vector<std::string> ids_;
  std::vector<uint16_t> labels_;
  std::vector<int64_t> offset_ = {0};
};

class ShardWork final : public pipeline::SharedWork {
 public:
  explicit ShardWork(pipeline::StageContext& context)
      : samples_(context.input("samples"), "samples.json"), output_(context.output("shards")) {}

  std::vector<pipeline::Sample> samples(int) override { return samples_.listed("samples"); }
  int samples_per_bucket() const override { return samples_per_shard_bucket; }

  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    const Value& grid = samples_.index();
    const auto fresh = [&] { return Columns(grid.at("height"), grid.at("width"), grid.at("channels")); };
    Value rows = Value::array();
    Columns columns = fresh();
    int file = 0;
    const auto close = [&] {
      pipeline::write_file(folder / (std::to_string(file++) + ".h5"), columns.to_hdf5());
      columns = fresh();
    };
    for (const std::string& id : members) {
      const Value& record = samples_.record(id);
      rows.push_back({{"id", id},
                      {"file", file},
                      {"row", columns.count()},
                      {"rows", 1},
                      {"labelled", record.at("labelled")},
                      {"digest", record.at("digest")}});
      columns.add(id, record, samples_.pack_of(id));
      if (columns.bytes() >= raw_limit - raw_limit / 8) close();
    }
    if (columns.count() > 0) close();
    pipeline::write_file(folder / rows_file, rows.dump());
  }

  std::string finish(int, const std::vector<Chunk>& chunks) override {
    Value rows = Value::array();
    Value files = Value::array();
    for (const Chunk& chunk : chunks) {
      const auto name_of = [&](int file) { return fmt::format("{}-{}.h5", chunk.bucket, file); };
      for (int file = 0; std::filesystem::exists(chunk.folder / (std::to_string(file) + ".h5")); ++file) {
        pipeline::link_or_copy(chunk.folder / (std::to_string(file) + ".h5"), output_ / name_of(file));
        files.push_back(name_of(file));
      }
      for (Value row : Value::parse(pipeline::read_file(chunk.folder / rows_file))) {
        row["file"] = name_of(row.at("file"));
        rows.push_back(std::move(row));
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    const Value& grid = samples_.index();
    Value index = {{"schema", 1},
                   {"width", grid.at("width")},
                   {"height", grid.at("height")},
                   {"channels", grid.at("channels")},
                   {"classes", {"background", "nucleus"}},
                   {"samples", rows}};
    put_input(index, input_of(grid));
    pipeline::write_file(output_ / "index.json", index.dump(1) + "\n");
    describe(files, rows.size());
    return "";
  }

 private:
  void describe(const Value& files, size_t samples) const {
    const Value& grid = samples_.index();
    Value sets = Value::array();
    std::string table;
    for (const Described& one : described) {
      sets.push_back({{"name", one.name}, {"type", one.type}, {"axes", one.axes}, {"meaning", one.meaning}});
      table += fmt::format("| `{}` | {} | {} | {} |\n", one.name, one.type, one.axes, one.meaning);
    }
    pipeline::write_file(
        output_ / "dataset.json",
        Value{{"schema", 1},
              {"files", files},
              {"samples", samples},
              {"grid", {{"width", grid.at("width")}, {"height", grid.at("height")}, {"channels", grid.at("channels")}}},
              {"data_sets", sets}}
                .dump(1) +
            "\n");
    pipeline::write_file(
        output_ / "DATASET.md",
        fmt::format("# Data set\n\n{} samples of {} x {} pixels with {} channel(s), in {} HDF5 file(s): {}.\n"
                    "Every file holds the data sets below; `index.json` says which file and row a sample is in.\n\n"
                    "| data set | type | axes | meaning |\n|---|---|---|---|\n{}\n"
                    "```python\nimport h5py\nwith h5py.File(\"{}\") as file:\n"
                    "    image, mask = file[\"images\"][0], file[\"masks\"][0]\n"
                    "    begin, end = file[\"offset\"][0], file[\"offset\"][1]\n"
                    "    labels = file[\"labels\"][begin:end].reshape(file[\"height\"][0], file[\"width\"][0])\n```\n",
                    samples, grid.at("width").get<int>(), grid.at("height").get<int>(), grid.at("channels").get<int>(),
                    files.size(), joined(files), table, files.empty() ? "" : files[0].get<std::string>()));
  }

  static std::string joined(const Value& files) {
    std::string text;
    for (const Value& file : files) text += (text.empty() ? "`" : ", `") + file.get<std::string>() + "`";
    return text;
  }

  PackedSamples samples_;
  std::filesystem::path output_;
};

class ShardBody final : public pipeline::StageBody {
 public:
  std::unique_ptr<pipeline::SharedWork> share(pipeline::StageContext& context) override {
    return std::make_unique<ShardWork>(context);
  }
};

}  // namespace

std::unique_ptr<pipeline::StageBody> shard_body() { return std::make_unique<ShardBody>(); }

}  // namespace penstock::stages
