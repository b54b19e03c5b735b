#include <fmt/format.h>

#include <algorithm>

#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/shard_columns.h"
#include "stages/images/label_codec.h"
#include "stages/images/picture.h"
#include "stages/packs/packed_samples.h"
#include "stages/packs/quarantine.h"
#include "stages/packs/sample_pack.h"
#include "stages/shard.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* rows_file = "rows.json";

class ShardWork final : public pipeline::SharedWork {
 public:
  explicit ShardWork(pipeline::StageContext& context)
      : samples_(context.input("samples"), "samples.json"), output_(context.output("shards")) {}

  std::vector<pipeline::Sample> samples(int) override { return samples_.listed("samples"); }
  int samples_per_bucket() const override { return samples_per_shard_bucket; }
  // Samples of 8 bits lie otherwise beside one of 16.
  std::optional<pipeline::Values> parameters_of(int) const override {
    if (!samples_.index().contains(sample_bits)) return std::nullopt;
    return pipeline::Values{{sample_bits, samples_.index().at(sample_bits).get<int64_t>()}};
  }

  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    Value rows = Value::array();
    auto columns = make_shard_columns(samples_.index());
    int file = 0;
    const auto close = [&] {
      pipeline::write_file(folder / (std::to_string(file++) + ".h5"), columns->to_hdf5().bytes());
      columns = make_shard_columns(samples_.index());
    };
    for (const std::string& id : members) {
      const Value& record = samples_.record(id);
      if (columns->is_full_for(record)) close();
      Value row = {{"id", id},
                   {"file", file},
                   {"row", columns->count()},
                   {"rows", 1},
                   {"labelled", record.at("labelled")},
                   {"digest", record.at("digest")}};
      for (const char* side : {"grid_height", "grid_width"}) {
        if (record.contains(side)) row[side] = record.at(side);
      }
      rows.push_back(std::move(row));
      columns->add(record, samples_.pack_of(id));
    }
    if (columns->count() > 0) close();
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
        const Value& sample = samples_.record(row.at("id"));
        if (sample.contains("subset")) row["subset"] = sample.at("subset");
        rows.push_back(std::move(row));
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    Value index = layout();
    index["schema"] = 1;
    index["classes"] = {"background", "nucleus"};
    index["samples"] = rows;
    put_left_out(index, samples_.index());
    put_input(index, input_of(samples_.index()));
    pipeline::write_file(output_ / "index.json", index.dump(1) + "\n");
    describe(files, rows.size());
    return "";
  }

 private:
  // What resize says of all samples: their grid, or that each has its own size.
  Value layout() const {
    Value found = Value::object();
    for (const char* key : {"mode", "scale", "width", "height", "channels", sample_bits}) {
      if (samples_.index().contains(key)) found[key] = samples_.index().at(key);
    }
    return found;
  }

  void describe(const Value& files, size_t samples) const {
    const auto columns = make_shard_columns(samples_.index());
    Value sets = Value::array();
    std::string table;
    for (const ShardDataSet& one : columns->data_sets()) {
      const std::string type = std::string(one.name) == "labels" && has_wide_labels() ? wide_labels : one.type;
      sets.push_back({{"name", one.name}, {"type", type}, {"axes", one.axes}, {"meaning", one.meaning}});
      table += fmt::format("| `{}` | {} | {} | {} |\n", one.name, type, one.axes, one.meaning);
    }
    pipeline::write_file(
        output_ / "dataset.json",
        Value{{"schema", 1}, {"files", files}, {"samples", samples}, {"grid", layout()}, {"data_sets", sets}}.dump(1) +
            "\n");
    pipeline::write_file(
        output_ / "DATASET.md",
        fmt::format("# Data set\n\n{} {}, in {} HDF5 file(s): {}.\n"
                    "Every file holds the data sets below; `index.json` says which file and row a sample is in.\n\n"
                    "| data set | type | axes | meaning |\n|---|---|---|---|\n{}\n"
                    "```python\nimport h5py\nwith h5py.File(\"{}\") as file:\n{}"
                    "    begin, end = file[\"offset\"][0], file[\"offset\"][1]\n"
                    "    labels = file[\"labels\"][begin:end].reshape(file[\"height\"][0], file[\"width\"][0])\n```\n",
                    samples, columns->samples_in_words(), files.size(), joined(files), table,
                    files.empty() ? "" : files[0].get<std::string>(), columns->python()));
  }

  static constexpr const char* wide_labels = "uint16, or uint32 in a file with a sample of more than 65,535 objects";

  bool has_wide_labels() const {
    const auto& records = samples_.records();
    return std::any_of(records.begin(), records.end(), [](const Value& record) {
      return record.at("objects").get<int64_t>() > int64_t{most_narrow_label};
    });
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
