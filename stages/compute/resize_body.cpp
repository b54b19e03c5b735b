#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "distributed/printable.h"
#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/mask_survey.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/images/packed_samples.h"
#include "stages/images/sample_pack.h"
#include "stages/resize.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

constexpr const char* chunk_file = "samples.safetensors";
constexpr int survey_pass = 0;  // what masks mean; pass 1 makes the samples

class ResizeWork final : public pipeline::SharedWork {
 public:
  explicit ResizeWork(pipeline::StageContext& context)
      : parameters_(pipeline::read_parameters<ResizeParameters>(context.values)),
        images_(context.input("images"), "catalogue.json"),
        output_(context.output("samples")),
        excluded_(parameters_.exclude.begin(), parameters_.exclude.end()),
        survey_(parameters_.masks, images_, excluded_) {}

  int passes() const override { return 2; }

  std::vector<pipeline::Sample> samples(int pass) override {
    if (pass == survey_pass) return survey_.samples();
    auto all = images_.listed("images");
    std::erase_if(all, [this](const pipeline::Sample& sample) { return excluded_.count(sample.id); });
    if (all.empty()) throw Error(ExitCode::data, "`exclude` leaves no sample");
    return all;
  }

  // Which samples are left out changes no sample that stays.
  std::optional<pipeline::Values> parameters_of(int pass) const override {
    if (pass == survey_pass) return pipeline::Values{};
    return pipeline::Values{{"width", parameters_.width},
                            {"height", parameters_.height},
                            {"channels", parameters_.channels},
                            {"mask_coverage", parameters_.mask_coverage}};
  }

  void decided(int pass, const std::string& decision) override {
    if (pass == survey_pass) survey_.decided(decision);
  }

  void run_bucket(int pass, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    if (pass == survey_pass) return survey_.run_bucket(members, folder);
    PackWriter pack("samples");
    for (const std::string& id : members) add(pack, id);
    pack.write(folder / chunk_file);
  }

  std::string finish(int pass, const std::vector<Chunk>& chunks) override {
    if (pass == survey_pass) return survey_.finish(chunks);
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
    require_objects(rows);
    Value excluded = Value::array();
    for (const std::string& id : excluded_) excluded.push_back(id);
    pipeline::write_file(output_ / "samples.json", Value{{"schema", 1},
                                                         {"width", parameters_.width},
                                                         {"height", parameters_.height},
                                                         {"channels", parameters_.channels},
                                                         {"masks", survey_.described()},
                                                         {"samples", rows},
                                                         {"excluded", excluded}}
                                                           .dump(1) +
                                                       "\n");
    return "";
  }

 private:
  // Labelled images without any object are said; where all are, there is nothing to learn.
  static void require_objects(const Value& rows) {
    int64_t labelled = 0, empty = 0;
    std::string first;
    for (const Value& row : rows) {
      if (!row.at("labelled").get<bool>()) continue;
      ++labelled;
      if (row.at("objects").get<int64_t>() > 0) continue;
      if (empty++ == 0) first = row.at("id");
    }
    if (labelled > 0 && empty == labelled) {
      throw Error(ExitCode::data,
                  fmt::format("none of the {} images with masks has an object in them (the first is '{}'): there is "
                              "nothing to learn",
                              labelled, distributed::printable_name(first)));
    }
    if (empty > 0) {
      spdlog::warn("resize: {} of {} images with masks have no object in them (the first is '{}')", empty, labelled,
                   distributed::printable_name(first));
    }
  }

  void add(PackWriter& pack, const std::string& id) const {
    const Value& record = images_.record(id);
    const Pack& source = images_.pack_of(id);
    const std::string name = pack_entry::image_file(id, record.at("image"));
    const Image native = decode_image(source.array(name).bytes, name);
    const int width = static_cast<int>(parameters_.width), height = static_cast<int>(parameters_.height);
    const Image grid = to_grid(native, width, height, static_cast<int>(parameters_.channels));
    pack.add(pack_entry::image(id), Element::u8, {height, width, grid.channels}, grid.bytes);

    const bool labelled = record.at("labelled");
    MergedMasks masks;
    Value foreground = nullptr;
    if (labelled) {
      masks = read_masks(mask_files(source, id), native.width, native.height, survey_.rule());
      pack.add(pack_entry::mask(id), Element::u8, {height, width},
               mask_on_grid(masks.map, width, height, parameters_.mask_coverage));
      const auto stream = encode_labels(masks.map);
      pack.add(pack_entry::labels(id), Element::u8, {static_cast<int64_t>(stream.size())}, stream);
      const auto background = std::count(masks.map.labels.begin(), masks.map.labels.end(), uint16_t{0});
      foreground = 1.0 - static_cast<double>(background) / static_cast<double>(masks.map.labels.size());
    }
    Value fields = {{"height", native.height},     {"width", native.width},
                    {"channels", native.channels}, {"bits", native.bits},
                    {"labelled", labelled},        {"objects", masks.objects},
                    {"overlaps", masks.overlaps},  {"empty_masks", masks.empty_masks},
                    {"foreground", foreground}};
    if (masks.covered_masks > 0) fields["covered_masks"] = masks.covered_masks;
    pack.close_sample(id, fields);
  }

  ResizeParameters parameters_;
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
