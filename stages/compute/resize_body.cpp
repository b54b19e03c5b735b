#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/images/packed_samples.h"
#include "stages/images/picture.h"
#include "stages/images/sample_pack.h"
#include "stages/resize.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* chunk_file = "samples.safetensors";

// What was done to files so that they could be read, once for all of them.
void say_how_read(const std::string& stage, const Value& rows, const PictureRule& rule) {
  size_t mapped = 0, noted = 0;
  const Value* first = nullptr;
  for (const Value& row : rows) {
    mapped += row.contains("limits");
    noted += row.contains("notes");
    if (first == nullptr && row.contains("notes")) first = &row;
  }
  if (mapped > 0) {
    spdlog::info(
        "{}: {} of {} pictures become 8 bits by limits of their own (contrast = \"{}\"; \"limits\" in "
        "samples.json)",
        stage, mapped, rows.size(), rule.contrast);
  }
  if (noted > 0) {
    spdlog::warn("{}: {} of {} pictures are read with a remark (\"notes\" in samples.json); {}: {}", stage, noted,
                 rows.size(), first->at("id").get<std::string>(), first->at("notes").at(0).get<std::string>());
  }
}

class ResizeWork final : public pipeline::SharedWork {
 public:
  explicit ResizeWork(pipeline::StageContext& context)
      : stage_(context.stage),
        parameters_(pipeline::read_parameters<ResizeParameters>(context.values)),
        rule_(parameters_.picture_rule()),
        images_(context.input("images"), "catalogue.json"),
        output_(context.output("samples")) {
    for (const std::string& id : parameters_.exclude) excluded_.insert(id);
  }

  std::vector<pipeline::Sample> samples(int) override {
    auto all = images_.listed("images");
    std::erase_if(all, [this](const pipeline::Sample& sample) { return excluded_.count(sample.id); });
    if (all.empty()) throw Error(ExitCode::data, "`exclude` leaves no sample");
    return all;
  }

  // Which samples are left out changes no sample that stays.
  std::optional<pipeline::Values> parameters_of(int) const override {
    pipeline::Values values{{"width", parameters_.width},
                            {"height", parameters_.height},
                            {"channels", parameters_.channels},
                            {"mask_coverage", parameters_.mask_coverage}};
    Value input = Value::object();
    put_input(input, rule_);
    if (!input.empty()) values["input"] = input.dump();
    return values;
  }

  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    PackWriter pack("samples");
    for (const std::string& id : members) add(pack, id);
    pack.write(folder / chunk_file);
  }

  std::string finish(int, const std::vector<Chunk>& chunks) override {
    Value rows = Value::array();
    for (const Chunk& chunk : chunks) {
      const std::string name = chunk.bucket + ".safetensors";
      pipeline::link_or_copy(chunk.folder / chunk_file, output_ / name);
      const Pack pack(chunk.folder / chunk_file);
      for (Value row : pack.samples()) {
        row["pack"] = name;
        rows.push_back(std::move(row));
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    Value excluded = Value::array();
    for (const std::string& id : excluded_) excluded.push_back(id);
    Value index = {{"schema", 1},
                   {"width", parameters_.width},
                   {"height", parameters_.height},
                   {"channels", parameters_.channels},
                   {"samples", rows},
                   {"excluded", excluded}};
    put_input(index, rule_);
    pipeline::write_file(output_ / "samples.json", index.dump(1) + "\n");
    say_how_read(stage_, rows, rule_);
    return "";
  }

 private:
  void add(PackWriter& pack, const std::string& id) const {
    const Value& record = images_.record(id);
    const Pack& source = images_.pack_of(id);
    const std::string name = pack_entry::image_file(id, record.at("image"));
    const Picture picture = read_picture(source.array(name).bytes, name, rule_, static_cast<int>(parameters_.channels));
    const Image& native = picture.image;
    const int width = static_cast<int>(parameters_.width), height = static_cast<int>(parameters_.height);
    const Image grid = to_grid(native, width, height);
    pack.add(pack_entry::image(id), Element::u8, {height, width, grid.channels}, grid.bytes);

    const bool labelled = record.at("labelled");
    MergedMasks masks;
    Value foreground = nullptr;
    if (labelled) {
      masks = merge_masks(mask_files(source, id), native.width, native.height);
      pack.add(pack_entry::mask(id), Element::u8, {height, width},
               mask_on_grid(masks.map, width, height, parameters_.mask_coverage));
      const auto stream = encode_labels(masks.map);
      pack.add(pack_entry::labels(id), Element::u8, {static_cast<int64_t>(stream.size())}, stream);
      const auto background = std::count(masks.map.labels.begin(), masks.map.labels.end(), uint16_t{0});
      foreground = 1.0 - static_cast<double>(background) / static_cast<double>(masks.map.labels.size());
    }
    Value fields = {{"height", native.height},      {"width", native.width},
                    {"channels", picture.channels}, {"bits", picture.bits},
                    {"labelled", labelled},         {"objects", masks.objects},
                    {"overlaps", masks.overlaps},   {"empty_masks", masks.empty_masks},
                    {"foreground", foreground}};
    fields.update(picture.record);
    pack.close_sample(id, fields);
  }

  static std::vector<MaskFile> mask_files(const Pack& pack, const std::string& id) {
    const std::string prefix = pack_entry::mask_files(id);
    std::vector<MaskFile> files;
    const auto names = pack.names();
    for (auto name = std::lower_bound(names.begin(), names.end(), prefix);
         name != names.end() && name->starts_with(prefix); ++name) {
      files.push_back({*name, pack.array(*name).bytes});
    }
    return files;
  }

  std::string stage_;
  ResizeParameters parameters_;
  PictureRule rule_;
  PackedSamples images_;
  std::filesystem::path output_;
  std::set<std::string> excluded_;
};

class ResizeBody final : public pipeline::StageBody {
 public:
  std::unique_ptr<pipeline::SharedWork> share(pipeline::StageContext& context) override {
    return std::make_unique<ResizeWork>(context);
  }
};

}  // namespace

std::unique_ptr<pipeline::StageBody> resize_body() { return std::make_unique<ResizeBody>(); }

}  // namespace penstock::stages
