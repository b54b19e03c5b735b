// inspect: what is in the data. Counts, sizes, looks, histograms, one row of metadata per image, a gallery, and the
// check that every sample fits its grid and every mask its image, and the audit that names files with faults: a problem
// in verdict.json stops the stages that need inspect.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/audit/audit.h"
#include "stages/audit/rules.h"
#include "stages/draws.h"
#include "stages/images/appearance.h"
#include "stages/images/label_codec.h"
#include "stages/images/picture.h"
#include "stages/images/pixel_values.h"
#include "stages/images/png_codec.h"
#include "stages/kinds.h"
#include "stages/packs/data_summary.h"
#include "stages/packs/json_file.h"
#include "stages/packs/packed_samples.h"
#include "stages/packs/quarantine.h"
#include "stages/packs/sample_pack.h"
#include "stages/resize_modes.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

std::vector<std::string> severe_rules() {
  std::vector<std::string> names;
  for (const AuditRule& rule : audit_rules()) {
    if (rule.severity == Severity::severe) names.push_back(rule.name);
  }
  return names;
}

std::string severe_rules_in_words() {
  std::string text;
  for (const AuditRule& rule : audit_rules()) {
    if (rule.severity == Severity::severe)
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", rule.name, rule.help);
  }
  return text;
}

struct InspectParameters {
  int64_t gallery = 12;
  int64_t seed = 0;
  std::vector<std::string> allow;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("gallery", gallery, {.help = "image and mask pairs shown in the report", .minimum = 0, .maximum = 200});
    visit("seed", seed, {.help = "seed of the draw of the gallery", .minimum = 0});
    visit(
        "allow", allow,
        {.help = "rules of the audit whose severe findings do not stop what needs inspect: " + severe_rules_in_words(),
         .choices = severe_rules(),
         .as_before = pipeline::Value::array()});
  }
};

constexpr const char* chunk_file = "rows.json";
constexpr int gallery_side = 512;       // pixels
constexpr int thumbnail_pixels = 96;    // of a finding's pictures, a side
constexpr int pictured_findings = 10;   // of each rule
constexpr size_t pictured_samples = 4;  // of each finding

std::vector<int64_t> areas_of(const LabelMap& map) {
  std::vector<int64_t> areas(static_cast<size_t>(map.objects()));
  for (const Label label : map.labels) {
    if (label > 0) ++areas[label - 1];
  }
  std::erase(areas, 0);
  return areas;
}

std::vector<uint8_t> copy_of(const PackedArray& array) { return {array.bytes.begin(), array.bytes.end()}; }

class InspectWork final : public pipeline::SharedWork {
 public:
  explicit InspectWork(pipeline::StageContext& context)
      : parameters_(pipeline::read_parameters<InspectParameters>(context.values)),
        images_(context.input("images"), "catalogue.json"),
        samples_(context.input("samples"), "samples.json"),
        summary_(context.output("summary")),
        metadata_(context.output("metadata")),
        gallery_(context.output("gallery")) {}

  std::vector<pipeline::Sample> samples(int) override {
    auto all = samples_.listed("samples");
    for (pipeline::Sample& sample : all) {
      const Value& record = images_.record(sample.id);
      sample.parts.emplace_back("images", pipeline::Digest::from_hex(record.at("digest").get<std::string>()));
    }
    return all;
  }

  std::optional<pipeline::Values> parameters_of(int) const override { return pipeline::Values{}; }

  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    Value rows = Value::array();
    for (const std::string& id : members) rows.push_back(to_json(look_at(id)));
    pipeline::write_file(folder / chunk_file, rows.dump());
  }

  std::string finish(int, const std::vector<Chunk>& chunks) override {
    std::vector<ImageRow> rows;
    for (const Chunk& chunk : chunks) {
      for (const Value& row : read_json(chunk.folder / chunk_file)) rows.push_back(image_row_from(row));
    }
    std::sort(rows.begin(), rows.end(), [](const ImageRow& a, const ImageRow& b) { return a.id() < b.id(); });
    const AuditedSet set = audit_of(rows);
    Value findings = findings_json(set);
    for (size_t i = 0; i < rows.size(); ++i) rows[i].metadata["group"] = set.rows[set.group[i]].id;
    Value verdict = verdict_on(rows);
    judge(verdict, findings, parameters_.allow);
    Value summary = summary_of(rows, samples_.index());
    if (const Value bad = left_out(); !bad.empty()) verdict["quarantined"] = bad, summary["quarantined"] = bad.size();
    write_json(summary_ / "summary.json", summary);
    write_json(summary_ / "verdict.json", verdict);
    add_thumbnails(findings);
    write_json(summary_ / "findings.json", findings);
    pipeline::write_file(summary_ / "findings.csv", findings_csv(findings));
    pipeline::write_file(summary_ / "structure.txt", structure());
    write_json(metadata_ / "metadata.json", metadata_json(rows));
    pipeline::write_file(metadata_ / "metadata.csv", metadata_csv(rows));
    write_gallery(rows);
    return "";
  }

 private:
  static AuditedSet audit_of(const std::vector<ImageRow>& rows) {
    std::vector<Measurements> measurements;
    for (const ImageRow& row : rows) measurements.push_back(measurements_from(row.measurements));
    return audited(std::move(measurements));
  }

  // By unzip, and by resize.
  Value left_out() const {
    Value bad = quarantined_in(images_.index());
    for (const Value& one : quarantined_in(samples_.index())) bad.push_back(one);
    std::sort(bad.begin(), bad.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    return bad;
  }

  ImageRow look_at(const std::string& id) const {
    const Value& record = samples_.record(id);
    const Value& source = images_.record(id);
    const std::string entry = source.at("entry");
    const PackedArray file = images_.pack_of(id).array(pack_entry::image_file(id, source.at("image")));
    const Image picture =
        read_picture(file.bytes, entry, input_of(samples_.index()), samples_.index().at("channels")).image;
    const Image rgb = to_channels(to_shown(as_shown(picture)), 3);
    const Brightness brightness = brightness_of(rgb);
    const bool labelled = record.at("labelled");
    LabelMap map;
    if (labelled) {
      map = decode_labels(samples_.pack_of(id).array(pack_entry::labels(id)).bytes, record.at("height"),
                          record.at("width"), id);
    }
    const auto areas = areas_of(map);
    Value metadata = {{"id", id},
                      {"entry", entry},
                      {"width", record.at("width")},
                      {"height", record.at("height")},
                      {"channels", record.at("channels")},
                      {"bits", record.at("bits")},
                      {"labelled", labelled},
                      {"objects", labelled ? Value(areas.size()) : Value(nullptr)},
                      {"foreground", record.at("foreground")},
                      {"mean_intensity", brightness.mean},
                      {"look", look_of(rgb, brightness, labelled ? &map : nullptr)},
                      {"area_median", labelled ? Value(median_of(areas)) : Value(nullptr)}};
    const Value measurements = to_json(measured(picture, labelled ? &map : nullptr, metadata, record));
    return {std::move(metadata),          brightness.histogram, areas,
            problems_of(id, record, rgb), warnings_of(record),  measurements};
  }

  std::vector<std::string> problems_of(const std::string& id, const Value& record, const Image& rgb) const {
    std::vector<std::string> problems;
    const Pack& pack = samples_.pack_of(id);
    const Value& grid = samples_.index();
    // Of all samples alike, or the sample's own.
    const bool own = record.contains("grid_height");
    const char* whose = own ? "sample's" : "grid's";
    const std::vector<int64_t> expected = {own ? record.at("grid_height") : grid.at("height"),
                                           own ? record.at("grid_width") : grid.at("width"), grid.at("channels")};
    if (pack.array(pack_entry::image(id)).shape != expected)
      problems.push_back(fmt::format("its image is not of the {} size {} x {}", whose, expected[1], expected[0]));
    if (record.at("labelled").get<bool>() &&
        pack.array(pack_entry::mask(id)).shape != std::vector<int64_t>{expected[0], expected[1]}) {
      problems.push_back(fmt::format("its mask is not of the {} size", whose));
    }
    if (rgb.width != record.at("width").get<int>() || rgb.height != record.at("height").get<int>()) {
      problems.push_back("its masks were made for an image of another size");
    }
    if (is_claimed_twice(record)) problems.push_back("every labelled pixel is claimed by more than one of its masks");
    return problems;
  }

  static bool is_claimed_twice(const Value& record) {
    if (!record.at("labelled").get<bool>() || record.at("overlaps").get<int64_t>() == 0) return false;
    const double pixels = record.at("width").get<double>() * record.at("height").get<double>();
    return record.at("overlaps").get<int64_t>() >= std::llround(record.at("foreground").get<double>() * pixels);
  }

  static std::vector<std::string> warnings_of(const Value& record) {
    std::vector<std::string> warnings;
    if (record.contains("notes"))
      for (const Value& note : record.at("notes")) warnings.push_back("read with a remark: " + note.get<std::string>());
    if (!record.at("labelled").get<bool>()) return warnings;
    if (const int covered = record.value("covered_masks", 0); covered > 0)
      warnings.push_back(pipeline::counted(covered, "mask") + " covered by others, and no object");
    const double foreground = record.at("foreground");
    if (foreground > 0 && foreground < 0.001)
      warnings.push_back(fmt::format("only {:.4f} of its pixels are labelled", foreground));
    return warnings;
  }

  // The first folders in full, the rest as a count.
  std::string structure() const {
    constexpr size_t shown = 3;
    std::string text = fmt::format("{} samples\n", images_.records().size());
    for (size_t i = 0; i < std::min(shown, images_.records().size()); ++i) {
      const Value& record = images_.records()[i];
      text +=
          fmt::format("{}/\n  images/{}\n", record.at("id").get<std::string>(), record.at("image").get<std::string>());
      if (const int masks = record.at("masks"); masks > 0)
        text += fmt::format("  masks/ ({})\n", pipeline::counted(masks, "file"));
    }
    if (images_.records().size() > shown) text += fmt::format("... and {} more\n", images_.records().size() - shown);
    return text;
  }

  // The ids with the smallest draws: a larger gallery shows the same images and some more.
  std::vector<std::string> drawn_from(const std::vector<ImageRow>& rows) const {
    std::vector<std::pair<uint64_t, std::string>> order;
    for (const ImageRow& row : rows)
      order.emplace_back(Draws(parameters_.seed, "gallery", {}, row.id()).bits(0), row.id());
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), static_cast<size_t>(parameters_.gallery)));
    std::vector<std::string> ids;
    for (auto& [draw, id] : order) ids.push_back(std::move(id));
    return ids;
  }

  // Samples of one grid as they are; those of their own size no larger than a page has room for.
  Image shown(const Image& picture) const {
    return resize_mode(samples_.index().value("mode", "squash")).own_size ? reduced(picture, gallery_side) : picture;
  }

  // The first findings of each rule get small pictures of their first samples, mask outlined.
  void add_thumbnails(Value& findings) const {
    std::map<std::string, int> shown;
    int number = 0;
    for (Value& finding : findings["findings"]) {
      if (shown[finding.at("rule")]++ >= pictured_findings) continue;
      Value names = Value::array();
      for (const Value& id : finding.at("samples")) {
        if (names.size() == pictured_samples) break;
        names.push_back(fmt::format("thumbnails/{:04}.png", ++number));
        pipeline::write_file(summary_ / names.back().get<std::string>(), encode_png(thumbnail_of(id)));
      }
      finding["thumbnails"] = names;
    }
  }

  // As it is shown.
  static Image sample_in(const Pack& pack, const std::string& id) {
    const PackedArray image = pack.array(pack_entry::image(id));
    const auto side = [&image](size_t i) { return static_cast<int>(image.shape.at(i)); };
    return as_shown(sample_picture(side(1), side(0), side(2), copy_of(image), image.element == Element::u8 ? 8 : 16));
  }

  Image thumbnail_of(const std::string& id) const {
    const Pack& pack = samples_.pack_of(id);
    const Image sample = sample_in(pack, id);
    const int width = sample.width;
    Image shown = to_channels(to_shown(sample), 3);
    if (pack.has(pack_entry::mask(id))) {
      const PackedArray mask = pack.array(pack_entry::mask(id));
      for (size_t i = 0; i < mask.bytes.size(); ++i) {
        const bool edge = mask.bytes[i] != 0 &&
                          (i % width == 0 || mask.bytes[i - 1] == 0 || (i + 1) % width == 0 || mask.bytes[i + 1] == 0 ||
                           i < static_cast<size_t>(width) || mask.bytes[i - width] == 0 ||
                           i + width >= mask.bytes.size() || mask.bytes[i + width] == 0);
        if (edge) shown.bytes[i * 3] = 255, shown.bytes[i * 3 + 1] = 110, shown.bytes[i * 3 + 2] = 0;
      }
    }
    return reduced(shown, thumbnail_pixels);
  }

  void write_gallery(const std::vector<ImageRow>& rows) const {
    Value pairs = Value::array();
    for (const std::string& id : drawn_from(rows)) {
      const Pack& pack = samples_.pack_of(id);
      Value pair = {{"id", id}, {"image", id + "-image.png"}};
      const Image sample = sample_in(pack, id);
      pipeline::write_file(gallery_ / (id + "-image.png"), encode_png(shown(to_shown(sample))));
      if (pack.has(pack_entry::mask(id))) {
        Image mask{sample.width, sample.height, 1, 8, copy_of(pack.array(pack_entry::mask(id)))};
        for (uint8_t& value : mask.bytes) value = value ? 255 : 0;
        pipeline::write_file(gallery_ / (id + "-mask.png"), encode_png(shown(mask)));
        pair["mask"] = id + "-mask.png";
      }
      pairs.push_back(std::move(pair));
    }
    write_json(gallery_ / "gallery.json", {{"schema", 1}, {"pairs", pairs}});
  }

  InspectParameters parameters_;
  PackedSamples images_;
  PackedSamples samples_;
  std::filesystem::path summary_, metadata_, gallery_;
};

class InspectBody final : public pipeline::StageBody {
 public:
  std::unique_ptr<pipeline::SharedWork> share(pipeline::StageContext& context) override {
    return std::make_unique<InspectWork>(context);
  }
};

}  // namespace

pipeline::StageKind inspect_kind() {
  pipeline::StageKind kind;
  kind.name = "inspect";
  kind.version = 3;  // audits: findings.json, and a group for each sample
  kind.summary = "describes the data and refuses samples that do not fit";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true},
                 {.name = "samples", .help = "resize.samples", .by_sample = true}};
  kind.outputs = {
      {.name = "summary", .help = "summary.json, verdict.json, findings.json, findings.csv, thumbnails, structure.txt"},
      {.name = "metadata", .help = "one row per image: metadata.json, metadata.csv"},
      {.name = "gallery", .help = "image and mask pairs as PNG, gallery.json"}};
  kind.parameters = pipeline::specifications_of<InspectParameters>();
  kind.body = [] { return std::make_unique<InspectBody>(); };
  return kind;
}

}  // namespace penstock::stages
