#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/mask_survey.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/compute/data/sample_size.h"
#include "stages/images/packed_samples.h"
#include "stages/images/picture.h"
#include "stages/images/sample_pack.h"
#include "stages/resize.h"
#include "stages/resize_modes.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* chunk_file = "samples.safetensors";
constexpr const char* areas_file = "areas.json";

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
                 rows.size(), distributed::printable_name(first->at("id").get<std::string>()),
                 first->at("notes").at(0).get<std::string>());
  }
}

// Labelled images without any object are said; where all are, there is nothing to learn.
void require_objects(const std::string& stage, const Value& rows) {
  int64_t labelled = 0, empty = 0;
  std::string first;
  for (const Value& row : rows) {
    if (!row.at("labelled").get<bool>()) continue;
    ++labelled;
    if (row.at("objects").get<int64_t>() > 0) continue;
    if (empty++ == 0) first = distributed::printable_name(row.at("id").get<std::string>());
  }
  if (labelled > 0 && empty == labelled) {
    throw Error(ExitCode::data,
                fmt::format("none of the {} images with masks has an object in them (the first is '{}'): there is "
                            "nothing to learn",
                            labelled, first));
  }
  if (empty > 0) {
    spdlog::warn("{}: {} of {} images with masks have no object in them (the first is '{}')", stage, empty, labelled,
                 first);
  }
}

// Up to three passes: what masks mean, then the scale where a diameter of objects is wanted, then the samples.
class ResizeWork final : public pipeline::SharedWork {
 public:
  explicit ResizeWork(pipeline::StageContext& context)
      : stage_(context.stage),
        parameters_(pipeline::read_parameters<ResizeParameters>(context.values)),
        rule_(parameters_.picture_rule()),
        own_size_(resize_mode(parameters_.mode).own_size),
        scale_(parameters_.scale),
        images_(context.input("images"), "catalogue.json"),
        output_(context.output("samples")),
        excluded_(parameters_.exclude.begin(), parameters_.exclude.end()),
        survey_(parameters_.masks, images_, excluded_, rule_.page) {}

  int passes() const override { return measures() ? 3 : 2; }

  std::vector<pipeline::Sample> samples(int pass) override {
    if (pass == survey_pass) return survey_.samples();
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
    pipeline::Values values;
    Value input = Value::object();
    put_input(input, rule_);
    if (!input.empty()) values["input"] = input.dump();
    if (pass == survey_pass || is_measuring(pass)) return values;
    values["channels"] = parameters_.channels;
    values["mask_coverage"] = parameters_.mask_coverage;
    if (own_size_)
      values["mode"] = parameters_.mode, values["scale"] = parameters_.scale;
    else
      values["width"] = parameters_.width, values["height"] = parameters_.height;
    return values;
  }

  void run_bucket(int pass, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    if (pass == survey_pass) return survey_.run_bucket(members, folder);
    if (is_measuring(pass)) return measure(members, folder);
    PackWriter pack("samples");
    for (const std::string& id : members) add(pack, id);
    pack.write(folder / chunk_file);
  }

  std::string finish(int pass, const std::vector<Chunk>& chunks) override {
    if (pass == survey_pass) return survey_.finish(chunks);
    if (is_measuring(pass)) return choose_scale(chunks);
    Value rows = Value::array();
    for (const Chunk& chunk : chunks) {
      const std::string name = chunk.bucket + ".safetensors";
      pipeline::link_or_copy(chunk.folder / chunk_file, output_ / name);
      const Pack pack(chunk.folder / chunk_file);
      for (Value row : pack.samples()) {
        row["pack"] = name;
        const Value& image = images_.record(row.at("id"));
        if (image.contains("subset")) row["subset"] = image.at("subset");
        rows.push_back(std::move(row));
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    require_objects(stage_, rows);
    Value index = {{"schema", 1},
                   {"channels", parameters_.channels},
                   {"masks", survey_.described()},
                   {"samples", rows},
                   {"excluded", excluded_}};
    if (own_size_)
      index["mode"] = parameters_.mode, index["scale"] = scale_;
    else
      index["width"] = parameters_.width, index["height"] = parameters_.height;
    put_input(index, rule_);
    pipeline::write_file(output_ / "samples.json", index.dump(1) + "\n");
    say_how_read(stage_, rows, rule_);
    return "";
  }

  void decided(int pass, const std::string& decision) override {
    if (pass == survey_pass) survey_.decided(decision);
    if (is_measuring(pass)) scale_ = Value::parse(decision).at("scale");
  }

 private:
  static constexpr int survey_pass = 0;

  bool measures() const { return own_size_ && parameters_.object_diameter > 0; }
  bool is_measuring(int pass) const { return measures() && pass == 1; }

  Picture picture_of(const std::string& id) const {
    const std::string name = pack_entry::image_file(id, images_.record(id).at("image"));
    return read_picture(images_.pack_of(id).array(name).bytes, name, rule_, static_cast<int>(parameters_.channels));
  }

  MergedMasks masks_of(const std::string& id, const Image& picture) const {
    return read_masks(mask_files(images_.pack_of(id), id), picture.width, picture.height, survey_.rule(), rule_.page);
  }

  void measure(const std::vector<std::string>& members, const std::filesystem::path& folder) const {
    AreaCounts counts;
    for (const std::string& id : members) count_areas(masks_of(id, picture_of(id).image).map, counts);
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
    const bool labelled = images_.record(id).at("labelled");
    const Picture picture = picture_of(id);
    const Image& native = picture.image;
    const auto [width, height] = size_of(native, id);
    const Image grid = to_grid(native, width, height);
    pack.add(pack_entry::image(id), Element::u8, {height, width, grid.channels}, grid.bytes);

    MergedMasks masks;
    Value foreground = nullptr;
    if (labelled) {
      masks = masks_of(id, native);
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
    if (own_size_) fields["grid_height"] = height, fields["grid_width"] = width;
    if (masks.covered_masks > 0) fields["covered_masks"] = masks.covered_masks;
    fields.update(picture.record);
    pack.close_sample(id, std::move(fields));
  }

  std::string stage_;
  ResizeParameters parameters_;
  PictureRule rule_;
  bool own_size_;
  double scale_;  // as a pass decided, where one measures
  PackedSamples images_;
  std::filesystem::path output_;
  std::set<std::string> excluded_;
  MaskSurvey survey_;
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
