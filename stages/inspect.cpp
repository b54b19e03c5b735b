// inspect: what is in the data. Counts, sizes, looks, histograms, one row of metadata per image, a gallery, and the
// check that every sample fits its grid and every mask its image: a refusal in verdict.json stops what waits for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "pipeline/files.h"
#include "stages/csv.h"
#include "stages/draws.h"
#include "stages/images/image_codec.h"
#include "stages/images/label_codec.h"
#include "stages/images/packed_samples.h"
#include "stages/kinds.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

struct InspectParameters {
  int64_t gallery = 12;
  int64_t seed = 0;

  void describe(pipeline::ParameterVisitor& visit) {
    visit("gallery", gallery, {.help = "image and mask pairs shown in the report", .minimum = 0, .maximum = 200});
    visit("seed", seed, {.help = "of the draw of the gallery", .minimum = 0});
  }
};

constexpr const char* chunk_file = "rows.json";
constexpr int intensity_bins = 256;

// Mean over pixels of max(R,G,B) - min(R,G,B), above which a picture counts as stained.
constexpr double stained_colourfulness = 6;

struct Brightness {
  double mean = 0;
  double colourfulness = 0;
  std::array<std::vector<int64_t>, 3> histogram;
};

Brightness brightness_of(const Image& rgb) {
  Brightness found;
  for (auto& counts : found.histogram) counts.assign(intensity_bins, 0);
  const size_t pixels = static_cast<size_t>(rgb.width) * rgb.height;
  for (size_t i = 0; i < pixels; ++i) {
    const uint8_t* p = &rgb.bytes[i * 3];
    for (int c = 0; c < 3; ++c) ++found.histogram[c][p[c]];
    found.mean += (p[0] + p[1] + p[2]) / 3.0;
    found.colourfulness += std::max({p[0], p[1], p[2]}) - std::min({p[0], p[1], p[2]});
  }
  found.mean /= static_cast<double>(pixels);
  found.colourfulness /= static_cast<double>(pixels);
  return found;
}

// Stained by colour; else dark objects on light are brightfield, light ones on dark fluorescence. Without labels the
// picture's own brightness decides.
std::string look_of(const Image& rgb, const Brightness& brightness, const LabelMap* labels) {
  if (brightness.colourfulness > stained_colourfulness) return "stained";
  if (labels == nullptr || labels->labels.size() * 3 != rgb.bytes.size())
    return brightness.mean > 127 ? "brightfield" : "fluorescence";
  double inside = 0, outside = 0, count = 0;
  for (size_t i = 0; i < labels->labels.size(); ++i) {
    if (labels->labels[i] != 0)
      inside += rgb.bytes[i * 3], ++count;
    else
      outside += rgb.bytes[i * 3];
  }
  const double rest = static_cast<double>(labels->labels.size()) - count;
  if (count == 0 || rest == 0) return brightness.mean > 127 ? "brightfield" : "fluorescence";
  return inside / count < outside / rest ? "brightfield" : "fluorescence";
}

std::vector<int64_t> areas_of(const LabelMap& map) {
  std::vector<int64_t> areas(static_cast<size_t>(map.objects()));
  for (const uint16_t label : map.labels) {
    if (label > 0) ++areas[label - 1];
  }
  std::erase(areas, 0);
  return areas;
}

template <typename Number>
Number median_of(std::vector<Number> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
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
    for (const std::string& id : members) rows.push_back(look_at(id));
    pipeline::write_file(folder / chunk_file, rows.dump());
  }

  std::string finish(int, const std::vector<Chunk>& chunks) override {
    std::vector<Value> rows;
    for (const Chunk& chunk : chunks) {
      for (Value row : Value::parse(pipeline::read_file(chunk.folder / chunk_file))) rows.push_back(std::move(row));
    }
    std::sort(rows.begin(), rows.end(), [](const Value& a, const Value& b) { return a.at("id") < b.at("id"); });
    write_json(summary_ / "summary.json", summarise(rows));
    write_json(summary_ / "verdict.json", judge(rows));
    pipeline::write_file(summary_ / "structure.txt", structure());
    write_metadata(rows);
    write_gallery(rows);
    return "";
  }

 private:
  static void write_json(const std::filesystem::path& path, const Value& json) {
    pipeline::write_file(path, json.dump(1) + "\n");
  }

  // One row: the columns of the metadata, and under "_" what only the summary needs.
  Value look_at(const std::string& id) const {
    const Value& record = samples_.record(id);
    const Value& source = images_.record(id);
    const std::string entry = source.at("entry");
    const PackedArray file = images_.pack_of(id).array(id + "/images/" + source.at("image").get<std::string>());
    const Image rgb = to_channels(to_8_bit(decode_image(file.bytes, entry)), 3);
    const Brightness brightness = brightness_of(rgb);
    const bool labelled = record.at("labelled");
    LabelMap map;
    if (labelled)
      map =
          decode_labels(samples_.pack_of(id).array(id + "/labels").bytes, record.at("height"), record.at("width"), id);
    const auto areas = areas_of(map);
    Value histogram = Value::array();
    for (const auto& counts : brightness.histogram) histogram.push_back(counts);
    return {{"id", id},
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
            {"area_median", labelled ? Value(median_of(areas)) : Value(nullptr)},
            {"_",
             {{"histogram", histogram},
              {"areas", areas},
              {"problems", problems_of(id, record, rgb)},
              {"warnings", warnings_of(record)}}}};
  }

  Value problems_of(const std::string& id, const Value& record, const Image& rgb) const {
    Value problems = Value::array();
    const Pack& pack = samples_.pack_of(id);
    const Value& grid = samples_.index();
    const std::vector<int64_t> expected = {grid.at("height"), grid.at("width"), grid.at("channels")};
    if (pack.array(id + "/image").shape != expected)
      problems.push_back(fmt::format("its image is not of the grid's size {} x {}", expected[1], expected[0]));
    if (record.at("labelled").get<bool>() &&
        pack.array(id + "/mask").shape != std::vector<int64_t>{expected[0], expected[1]}) {
      problems.push_back("its mask is not of the grid's size");
    }
    if (rgb.width != record.at("width").get<int>() || rgb.height != record.at("height").get<int>()) {
      problems.push_back("its masks were made for an image of another size");
    }
    return problems;
  }

  static Value warnings_of(const Value& record) {
    Value warnings = Value::array();
    if (!record.at("labelled").get<bool>()) return warnings;
    if (record.at("objects").get<int>() == 0) warnings.push_back("labelled, but without any object");
    if (const int empty = record.at("empty_masks"); empty > 0) warnings.push_back(fmt::format("{} empty masks", empty));
    if (const int64_t twice = record.at("overlaps"); twice > 0)
      warnings.push_back(fmt::format("{} pixels claimed by two masks", twice));
    const double foreground = record.at("foreground");
    if (foreground > 0 && foreground < 0.001)
      warnings.push_back(fmt::format("only {:.4f} of its pixels are labelled", foreground));
    return warnings;
  }

  Value summarise(const std::vector<Value>& rows) const {
    std::map<std::pair<int, int>, int> sizes, channels;
    std::map<std::string, int> looks;
    std::vector<int64_t> objects, areas;
    std::vector<double> foregrounds;
    std::array<std::vector<int64_t>, 3> intensity;
    for (auto& counts : intensity) counts.assign(intensity_bins, 0);
    for (const Value& row : rows) {
      ++sizes[{row.at("width"), row.at("height")}];
      ++channels[{row.at("channels"), row.at("bits")}];
      ++looks[row.at("look")];
      for (int c = 0; c < 3; ++c) {
        for (int bin = 0; bin < intensity_bins; ++bin)
          intensity[c][bin] += row.at("_").at("histogram")[c][bin].get<int64_t>();
      }
      if (!row.at("labelled").get<bool>()) continue;
      objects.push_back(row.at("objects"));
      foregrounds.push_back(row.at("foreground"));
      for (const Value& area : row.at("_").at("areas")) areas.push_back(area);
    }
    const bool grey = intensity[0] == intensity[1] && intensity[1] == intensity[2];
    Value summary = {{"schema", 1},
                     {"samples", rows.size()},
                     {"labelled", objects.size()},
                     {"unlabelled", rows.size() - objects.size()}};
    int64_t total = 0;
    for (const int64_t count : objects) total += count;
    summary["objects"] = {
        {"total", total}, {"minimum", least(objects)}, {"median", median_of(objects)}, {"maximum", most(objects)}};
    for (const auto& [size, count] : sizes)
      summary["sizes"].push_back({{"width", size.first}, {"height", size.second}, {"samples", count}});
    for (const auto& [kind, count] : channels)
      summary["channels"].push_back({{"channels", kind.first}, {"bits", kind.second}, {"samples", count}});
    for (const auto& [look, count] : looks) summary["looks"].push_back({{"look", look}, {"samples", count}});
    double mean = 0;
    for (const double share : foregrounds) mean += share / static_cast<double>(foregrounds.size());
    summary["foreground"] = {{"mean", mean}, {"minimum", least(foregrounds)}, {"maximum", most(foregrounds)}};
    Value counts = Value::array();
    for (int c = 0; c < (grey ? 1 : 3); ++c) counts.push_back(intensity[c]);
    summary["histograms"] = {{"intensity", {{"bins", intensity_bins}, {"counts", counts}}},
                             {"foreground", histogram_of(foregrounds, 20)},
                             {"objects", histogram_of(std::vector<double>(objects.begin(), objects.end()), 20)},
                             {"object_area", histogram_of(std::vector<double>(areas.begin(), areas.end()), 30)}};
    const Value& grid = samples_.index();
    summary["grid"] = {{"width", grid.at("width")}, {"height", grid.at("height")}, {"channels", grid.at("channels")}};
    return summary;
  }

  template <typename Number>
  static Number least(const std::vector<Number>& values) {
    return values.empty() ? Number{0} : *std::min_element(values.begin(), values.end());
  }
  template <typename Number>
  static Number most(const std::vector<Number>& values) {
    return values.empty() ? Number{0} : *std::max_element(values.begin(), values.end());
  }

  static Value histogram_of(const std::vector<double>& values, int bins) {
    const double low = 0, high = std::max(most(values), 1e-9);
    std::vector<int64_t> counts(static_cast<size_t>(bins));
    std::vector<double> edges;
    for (int i = 0; i <= bins; ++i) edges.push_back(low + (high - low) * i / bins);
    for (const double value : values)
      ++counts[std::min(bins - 1, static_cast<int>((value - low) / (high - low) * bins))];
    return {{"edges", edges}, {"counts", counts}};
  }

  static Value judge(const std::vector<Value>& rows) {
    Value problems = Value::array(), warnings = Value::array();
    for (const Value& row : rows) {
      for (const Value& text : row.at("_").at("problems"))
        problems.push_back({{"sample", row.at("id")}, {"problem", text}});
      for (const Value& text : row.at("_").at("warnings"))
        warnings.push_back({{"sample", row.at("id")}, {"warning", text}});
    }
    return {{"passed", problems.empty()}, {"problems", problems}, {"warnings", warnings}};
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
        text += fmt::format("  masks/ ({} file{})\n", masks, masks == 1 ? "" : "s");
    }
    if (images_.records().size() > shown) text += fmt::format("... and {} more\n", images_.records().size() - shown);
    return text;
  }

  void write_metadata(const std::vector<Value>& rows) const {
    const std::vector<std::string> columns = {"id",         "entry",          "width",    "height",
                                              "channels",   "bits",           "labelled", "objects",
                                              "foreground", "mean_intensity", "look",     "area_median"};
    CsvTable csv(columns);
    Value images = Value::array();
    for (Value row : rows) {
      row.erase("_");
      std::vector<std::string> fields;
      for (const std::string& column : columns) {
        const Value& value = row.at(column);
        fields.push_back(value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump());
      }
      csv.add(fields);
      images.push_back(std::move(row));
    }
    write_json(metadata_ / "metadata.json", {{"schema", 1}, {"images", images}});
    pipeline::write_file(metadata_ / "metadata.csv", csv.text());
  }

  void write_gallery(const std::vector<Value>& rows) const {
    std::vector<std::pair<uint64_t, std::string>> order;
    for (const Value& row : rows) {
      const std::string id = row.at("id");
      order.emplace_back(Draws(parameters_.seed, "gallery", {}, id).bits(0), id);
    }
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), static_cast<size_t>(parameters_.gallery)));
    Value pairs = Value::array();
    for (const auto& [draw, id] : order) {
      const Pack& pack = samples_.pack_of(id);
      const PackedArray image = pack.array(id + "/image");
      Value pair = {{"id", id}, {"image", id + "-image.png"}};
      const int height = static_cast<int>(image.shape[0]), width = static_cast<int>(image.shape[1]);
      pipeline::write_file(gallery_ / (id + "-image.png"),
                           encode_png({width, height, static_cast<int>(image.shape[2]), 8, copy_of(image)}));
      if (pack.has(id + "/mask")) {
        Image mask{width, height, 1, 8, copy_of(pack.array(id + "/mask"))};
        for (uint8_t& value : mask.bytes) value = value ? 255 : 0;
        pipeline::write_file(gallery_ / (id + "-mask.png"), encode_png(mask));
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
  kind.summary = "describes the data and refuses samples that do not fit";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "images", .help = "unzip.images", .by_sample = true},
                 {.name = "samples", .help = "resize.samples", .by_sample = true}};
  kind.outputs = {{.name = "summary", .help = "summary.json, verdict.json, structure.txt"},
                  {.name = "metadata", .help = "one row per image: metadata.json, metadata.csv"},
                  {.name = "gallery", .help = "image and mask pairs as PNG, gallery.json"}};
  kind.parameters = pipeline::specifications_of<InspectParameters>();
  kind.body = [] { return std::make_unique<InspectBody>(); };
  return kind;
}

}  // namespace penstock::stages
