#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/mask_survey.h"
#include "stages/compute/data/object_scale.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/images/picture.h"
#include "stages/packs/packed_samples.h"
#include "stages/packs/quarantine.h"
#include "stages/packs/sample_pack.h"
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
        "{}: {} of {} pictures are stretched between limits of their own (contrast = \"{}\"; \"limits\" in "
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
        on_bad_(on_bad_named(parameters_.on_bad)),
        size_rule_(parameters_.sample_rule()),
        images_(context.input("images"), "catalogue.json"),
        output_(context.output("samples")),
        excluded_(parameters_.exclude.begin(), parameters_.exclude.end()),
        survey_(parameters_.masks, images_, excluded_, rule_.page, on_bad_) {}

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

  // Which samples are left out, and whether, changes no sample that stays.
  std::optional<pipeline::Values> parameters_of(int pass) const override {
    pipeline::Values values;
    Value input = Value::object();
    put_input(input, rule_);
    if (!input.empty()) values["input"] = input.dump();
    if (pass == survey_pass || is_measuring(pass)) return values;
    values["channels"] = parameters_.channels;
    values["mask_coverage"] = parameters_.mask_coverage;
    const Value size = to_json(parameters_.sample_rule());
    for (const auto& [name, value] : size.items()) values[name] = value;
    return values;
  }

  void run_bucket(int pass, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    if (pass == survey_pass) return survey_.run_bucket(members, folder);
    if (is_measuring(pass)) return measure(members, folder);
    PackWriter pack("samples");
    BadSamples bad;
    for (const std::string& id : members) {
      const Files files = files_of(id);
      Decoded sample;
      if (const auto fault = fault_in(on_bad_, [&] { sample = decoded(files); }))
        bad.push_back({id, images_.record(id).at("entry"), *fault});
      else
        add(pack, sample, id);
    }
    pack.write(folder / chunk_file);
    write_bad(folder, bad);
  }

  std::string finish(int pass, const std::vector<Chunk>& chunks) override {
    if (pass == survey_pass) return survey_.finish(chunks);
    if (is_measuring(pass)) return choose_scale(chunks);
    const BadSamples bad = bad_in(chunks, on_bad_);
    const Value rows = adopt_packs(chunks, chunk_file, output_, [&](Value& row) {
      const Value& image = images_.record(row.at("id"));
      if (image.contains("subset")) row["subset"] = image.at("subset");
    });
    Value index = {{"schema", 1},
                   {"channels", parameters_.channels},
                   {"masks", survey_.described()},
                   {"samples", rows},
                   {"excluded", excluded_}};
    put_bad(index, bad, rows.size() + bad.size(), stage_, "samples.json");
    put_left_out(index, images_.index());
    require_objects(stage_, rows);
    index.update(to_json(size_rule_));
    put_bits(index, rows);
    pipeline::write_file(output_ / "samples.json", index.dump(1) + "\n");
    say_how_read(stage_, rows, rule_);
    return "";
  }

  void decided(int pass, const std::string& decision) override {
    if (pass == survey_pass) survey_.decided(decision);
    if (is_measuring(pass)) size_rule_.scale = Value::parse(decision).at("scale");
  }

 private:
  static constexpr int survey_pass = 0;

  // All samples of a data set have as many bits as the one with most.
  void put_bits(Value& index, const Value& rows) const {
    const bool wide = std::any_of(rows.begin(), rows.end(), [](const Value& row) { return row.contains(sample_bits); });
    if (wide) index[sample_bits] = 16;
    PictureRule rule = rule_;
    rule.keeps_bits = wide;
    put_input(index, rule);
  }

  bool measures() const { return parameters_.object_diameter > 0; }
  bool is_measuring(int pass) const { return measures() && pass == 1; }

  // A sample's files in unzip's packs. To open a pack is not to read a user's file: a damaged one is the store's fault.
  struct Files {
    std::string id;
    MaskFile image;
    std::vector<MaskFile> masks;
    bool labelled = false;
  };
  struct Decoded {
    Picture picture;
    SampleSize size;
    MergedMasks masks;
    bool labelled = false;
  };

  Files files_of(const std::string& id) const {
    const Value& record = images_.record(id);
    const Pack& pack = images_.pack_of(id);
    const std::string image = pack_entry::image_file(id, record.at("image"));
    return {id, {image, pack.array(image).bytes}, mask_files(pack, id), record.at("labelled")};
  }

  Picture picture_of(const Files& files) const {
    return read_picture(files.image.bytes, files.image.name, rule_, static_cast<int>(parameters_.channels));
  }

  MergedMasks masks_of(const Files& files, const Image& picture) const {
    return read_masks(files.masks, picture.width, picture.height, survey_.rule(), rule_.page);
  }

  Decoded decoded(const Files& files) const {
    Decoded sample;
    sample.picture = picture_of(files);
    const Image& native = sample.picture.image;
    sample.size =
        sample_size(size_rule_, native.width, native.height, static_cast<int>(parameters_.channels), files.id);
    sample.labelled = files.labelled;
    if (files.labelled) sample.masks = masks_of(files, native);
    return sample;
  }

  void measure(const std::vector<std::string>& members, const std::filesystem::path& folder) const {
    AreaCounts counts;
    for (const std::string& id : members) {
      const Files files = files_of(id);
      MergedMasks masks;
      if (!fault_in(on_bad_, [&] { masks = masks_of(files, picture_of(files).image); })) count_areas(masks.map, counts);
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

  void add(PackWriter& pack, const Decoded& sample, const std::string& id) const {
    const Image& native = sample.picture.image;
    const MergedMasks& masks = sample.masks;
    const auto [width, height] = sample.size;
    const Image grid = to_grid(native, width, height);
    pack.add(pack_entry::image(id), grid.bits == 8 ? Element::u8 : Element::u16, {height, width, grid.channels},
             grid.bytes);

    Value foreground = nullptr;
    if (sample.labelled) {
      pack.add(pack_entry::mask(id), Element::u8, {height, width},
               mask_on_grid(masks.map, width, height, parameters_.mask_coverage));
      const auto stream = encode_labels(masks.map);
      pack.add(pack_entry::labels(id), Element::u8, {static_cast<int64_t>(stream.size())}, stream);
      const auto background = std::count(masks.map.labels.begin(), masks.map.labels.end(), Label{0});
      foreground = 1.0 - static_cast<double>(background) / static_cast<double>(masks.map.labels.size());
    }
    Value fields = {{"height", native.height},
                    {"width", native.width},
                    {"channels", sample.picture.channels},
                    {"bits", sample.picture.bits},
                    {"labelled", sample.labelled},
                    {"objects", masks.objects},
                    {"overlaps", masks.overlaps},
                    {"empty_masks", masks.empty_masks},
                    {"foreground", foreground}};
    if (size_rule_.own_size()) fields["grid_height"] = height, fields["grid_width"] = width;
    if (grid.bits != 8) fields[sample_bits] = grid.bits;
    if (masks.covered_masks > 0) fields["covered_masks"] = masks.covered_masks;
    fields.update(sample.picture.record);
    pack.close_sample(id, std::move(fields));
  }

  std::string stage_;
  ResizeParameters parameters_;
  PictureRule rule_;
  OnBad on_bad_;
  SampleRule size_rule_;  // its scale as a pass decided, where one measures
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
