#include <algorithm>
#include <set>

#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/compute/data/sample_size.h"
#include "stages/images/packed_samples.h"
#include "stages/images/sample_pack.h"
#include "stages/resize.h"
#include "stages/resize_modes.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* chunk_file = "samples.safetensors";
constexpr const char* areas_file = "areas.json";

class ResizeWork final : public pipeline::SharedWork {
 public:
  explicit ResizeWork(pipeline::StageContext& context)
      : parameters_(pipeline::read_parameters<ResizeParameters>(context.values)),
        own_size_(resize_mode(parameters_.mode).own_size),
        scale_(parameters_.scale),
        images_(context.input("images"), "catalogue.json"),
        output_(context.output("samples")) {
    for (const std::string& id : parameters_.exclude) excluded_.insert(id);
  }

  // With object_diameter the objects are measured first, which decides the scale.
  int passes() const override { return measures() ? 2 : 1; }

  std::vector<pipeline::Sample> samples(int pass) override {
    auto all = images_.listed("images");
    std::erase_if(all, [this](const pipeline::Sample& sample) { return excluded_.count(sample.id); });
    if (all.empty()) throw Error(ExitCode::data, "`exclude` leaves no sample");
    if (is_measuring(pass)) {
      std::erase_if(all, [this](const pipeline::Sample& sample) {
        return !images_.record(sample.id).at("labelled").get<bool>();
      });
    }
    return all;
  }

  // Which samples are left out changes no sample that stays.
  std::optional<pipeline::Values> parameters_of(int pass) const override {
    if (is_measuring(pass)) return pipeline::Values{};
    if (own_size_) {
      return pipeline::Values{{"mode", parameters_.mode},
                              {"scale", parameters_.scale},
                              {"channels", parameters_.channels},
                              {"mask_coverage", parameters_.mask_coverage}};
    }
    return pipeline::Values{{"width", parameters_.width},
                            {"height", parameters_.height},
                            {"channels", parameters_.channels},
                            {"mask_coverage", parameters_.mask_coverage}};
  }

  void run_bucket(int pass, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    if (is_measuring(pass)) return measure(members, folder);
    PackWriter pack("samples");
    for (const std::string& id : members) add(pack, id);
    pack.write(folder / chunk_file);
  }

  std::string finish(int pass, const std::vector<Chunk>& chunks) override {
    if (is_measuring(pass)) return choose_scale(chunks);
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
    Value index = {{"schema", 1}, {"channels", parameters_.channels}, {"samples", rows}, {"excluded", excluded}};
    if (own_size_)
      index["mode"] = parameters_.mode, index["scale"] = scale_;
    else
      index["width"] = parameters_.width, index["height"] = parameters_.height;
    pipeline::write_file(output_ / "samples.json", index.dump(1) + "\n");
    return "";
  }

  void decided(int pass, const std::string& decision) override {
    if (is_measuring(pass)) scale_ = Value::parse(decision).at("scale");
  }

 private:
  bool measures() const { return own_size_ && parameters_.object_diameter > 0; }
  bool is_measuring(int pass) const { return measures() && pass == 0; }

  void measure(const std::vector<std::string>& members, const std::filesystem::path& folder) const {
    AreaCounts counts;
    for (const std::string& id : members) {
      const Pack& source = images_.pack_of(id);
      const std::string name = pack_entry::image_file(id, images_.record(id).at("image"));
      const Image native = decode_image(source.array(name).bytes, name);
      count_areas(merge_masks(mask_files(source, id), native.width, native.height).map, counts);
    }
    Value rows = Value::array();
    for (const auto& [area, count] : counts) rows.push_back({area, count});
    pipeline::write_file(folder / areas_file, rows.dump());
  }

  std::string choose_scale(const std::vector<Chunk>& chunks) const {
    AreaCounts counts;
    for (const Chunk& chunk : chunks) {
      for (const Value& row : Value::parse(pipeline::read_file(chunk.folder / areas_file)))
        counts[row.at(0)] += row.at(1).get<int64_t>();
    }
    if (counts.empty()) {
      throw Error(ExitCode::data,
                  "resize.object_diameter scales by the labelled objects' median diameter, and no image has a labelled "
                  "object; give resize.scale instead");
    }
    return Value{{"scale", scale_for_diameter(parameters_.object_diameter, counts)}}.dump();
  }

  SampleSize size_of(const Image& native, const std::string& name) const {
    if (own_size_)
      return scaled_size(native.width, native.height, scale_, static_cast<int>(parameters_.channels), name);
    return {static_cast<int>(parameters_.width), static_cast<int>(parameters_.height)};
  }

  void add(PackWriter& pack, const std::string& id) const {
    const Value& record = images_.record(id);
    const Pack& source = images_.pack_of(id);
    const std::string name = pack_entry::image_file(id, record.at("image"));
    const Image native = decode_image(source.array(name).bytes, name);
    const auto [width, height] = size_of(native, name);
    const Image grid = to_grid(native, width, height, static_cast<int>(parameters_.channels));
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
    Value record_of_sample = {{"height", native.height},     {"width", native.width},
                              {"channels", native.channels}, {"bits", native.bits},
                              {"labelled", labelled},        {"objects", masks.objects},
                              {"overlaps", masks.overlaps},  {"empty_masks", masks.empty_masks},
                              {"foreground", foreground}};
    if (own_size_) record_of_sample["grid_height"] = height, record_of_sample["grid_width"] = width;
    pack.close_sample(id, std::move(record_of_sample));
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

  ResizeParameters parameters_;
  bool own_size_;
  double scale_;  // as the first pass decided, where one measures
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
