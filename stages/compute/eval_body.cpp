#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/shard_reader.h"
#include "stages/compute/model/predictor.h"
#include "stages/compute/scores/baseline.h"
#include "stages/compute/scores/decoding_choice.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/compute/scores/prediction_files.h"
#include "stages/compute/scores/prediction_tables.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/compute/scores/summaries.h"
#include "stages/compute/scores/threshold_sweep.h"
#include "stages/compute/shown_samples.h"
#include "stages/eval.h"
#include "stages/packs/csv.h"
#include "stages/packs/data_summary.h"
#include "stages/packs/json_file.h"
#include "stages/packs/pack.h"

namespace penstock::stages {
namespace {

using pipeline::Value;
namespace fs = std::filesystem;

constexpr int choice_pass = 0;                 // validation: which threshold, and what makes objects
constexpr int score_pass = 1;                  // every sample: predictions and counts
constexpr const char* tables_name = "tables";  // of a chunk: the rows of each image in the two tables
const std::vector<std::string> scored_subsets = {"train", "validation", "test"};

class EvalWork final : public pipeline::SharedWork {
 public:
  explicit EvalWork(pipeline::StageContext& context)
      : parameters_(pipeline::read_parameters<EvalParameters>(context.values)),
        shards_(context.input("shards")),
        index_(read_shard_index(shards_)),
        own_size_(index_.rule.own_size()),
        model_(context.input("model")),
        predictor_(model_),
        outputs_(context.outputs) {
    const Value split = read_json(context.input("split") / "split.json");
    for (const auto& [subset, ids] : split.at("subsets").items()) {
      for (const Value& id : ids) subset_of_[id] = subset;
    }
    find_relatives(split);
    if (std::none_of(subset_of_.begin(), subset_of_.end(),
                     [this](const auto& sample) { return takes(sample.second, score_pass); })) {
      throw Error(ExitCode::data, fmt::format("eval.subsets names {}, and split has no sample there",
                                              fmt::join(parameters_.subsets, ", ")));
    }
    if (context.has("metadata")) looks_ = looks_of(read_json(context.input("metadata") / "metadata.json"));
    require_samples_of_the_model();
    const ModelDescription& model = predictor_.model();
    plan_ = plan_decoding(parameters_, model.targets, model.instances);
    decoding_ = plan_.given;
    const auto* tile = std::get_if<int64_t>(&parameters_.tile);
    if (tile != nullptr && !own_size_)
      throw Error(ExitCode::config, "eval.tile has no effect where all samples lie on one grid: take it out");
    predictor_.set_views(parameters_.turns, tile == nullptr ? 0 : *tile);
  }

  int passes() const override { return 2; }

  std::vector<pipeline::Sample> samples(int pass) override {
    std::vector<pipeline::Sample> all;
    for (const ShardRecord& record : index_.samples) {
      const auto subset = subset_of_.find(record.id);
      if (subset == subset_of_.end() || !takes(subset->second, pass)) continue;
      all.push_back({record.id, {{"shards", record.digest}}});
    }
    return all;
  }

  std::optional<pipeline::Values> parameters_of(int pass) const override {
    pipeline::Values used = {{"decoder", parameters_.decoder}, {"turns", parameters_.turns}};
    if (predictor_.model().tile > 0) used["tile"] = predictor_.model().tile;
    if (pass == choice_pass && plan_.by_objects()) {
      used["decoders"] = plan_.candidates.decoders;
      used["thresholds"] = plan_.candidates.thresholds;
      used["seed_thresholds"] = plan_.candidates.seed_thresholds;
      used["minimum_areas"] = plan_.candidates.minimum_areas;
      if (plan_.candidates.fill_holes != std::vector<bool>{false}) used["fill_holes"] = plan_.candidates.fill_holes;
    }
    return used;
  }

  void run_bucket(int pass, const std::vector<std::string>& members, const fs::path& folder) override {
    const bool natively = pass == score_pass || plan_.by_objects();
    const auto samples = read_samples(shards_, index_, members, natively ? Truth::native_labels : Truth::masks);
    if (pass == choice_pass)
      sweep_bucket(samples, folder);
    else
      score_bucket(samples, folder);
  }

  std::string finish(int pass, const std::vector<Chunk>& chunks) override {
    return pass == choice_pass ? choose(chunks) : publish(chunks);
  }

  void decided(int pass, const std::string& decision) override {
    if (pass == choice_pass) decoding_ = decoding_from(Value::parse(decision), plan_.given.rules);
  }

 private:
  bool takes(const std::string& subset, int pass) const {
    if (pass == choice_pass) return subset == "validation";
    const auto& wanted = parameters_.subsets;
    return std::find(wanted.begin(), wanted.end(), subset) != wanted.end();
  }

  // Samples of which a tile or copy lies in another subset, as split found.
  void find_relatives(const Value& split) {
    if (!split.contains("leakage")) return;
    for (const Value& group : split.at("leakage").at("groups")) {
      for (const std::string& subset : scored_subsets) {
        for (const Value& id : group.value(subset, Value::array())) related_.insert(id);
      }
    }
  }

  void require_samples_of_the_model() const {
    const ModelDescription& model = predictor_.model();
    const int64_t channels = model.architecture.in_channels;
    if (index_.rule == model.rule && index_.channels == channels) return;
    throw Error(ExitCode::data, fmt::format("the model was trained on {} with {}, the shards hold {} with {}",
                                            in_words(model.rule), pipeline::counted(channels, "channel"),
                                            in_words(index_.rule), pipeline::counted(index_.channels, "channel")));
  }

  void sweep_bucket(const std::vector<GridSample>& samples, const fs::path& folder) const {
    std::vector<PixelCounts> sums(swept_thresholds().size());
    Value objects = Value::array();
    for (const GridSample& sample : samples) {
      const PixelMaps maps = predictor_.on_sample({sample.image, index_.bits}, sample.width, sample.height);
      const auto counts = sweep(maps.foreground(), sample.mask);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += counts[i];
      if (!plan_.by_objects()) continue;
      const PixelMaps native = Predictor::at_size(maps, sample.labels.width, sample.labels.height);
      objects.push_back({{"id", sample.id}, {"map", object_scores(native, sample.labels, plan_.combinations)}});
    }
    Value rows = Value::array();
    for (const PixelCounts& c : sums) rows.push_back({c.tp, c.fp, c.fn, c.tn});
    pipeline::write_file(folder / "sweep.json", Value{{"pixels", rows}, {"objects", objects}}.dump());
  }

  std::string choose(const std::vector<Chunk>& chunks) {
    sweep_.assign(swept_thresholds().size(), {});
    std::map<std::string, std::vector<double>> maps;
    for (const Chunk& chunk : chunks) {
      const Value swept = Value::parse(pipeline::read_file(chunk.folder / "sweep.json"));
      const Value& rows = swept.at("pixels");
      for (size_t i = 0; i < sweep_.size(); ++i) sweep_[i] += {rows[i][0], rows[i][1], rows[i][2], rows[i][3]};
      for (const Value& row : swept.at("objects")) maps.emplace(row.at("id"), row.at("map"));
    }
    if (const double* fixed = std::get_if<double>(&parameters_.threshold))
      rule_ = fmt::format("{}", *fixed);
    else
      rule_ = chunks.empty() ? "default" : "validation";  // without a validation subset there is nothing to choose on
    if (!chunks.empty() && plan_.by_objects()) {
      choose_by_objects(maps);
    } else if (plan_.candidates.thresholds.size() == 1) {
      decoding_.threshold = plan_.candidates.thresholds.front();
    } else if (!chunks.empty()) {
      decoding_.threshold = best_threshold(sweep_);
    }
    return to_json(decoding_).dump();
  }

  void choose_by_objects(const std::map<std::string, std::vector<double>>& maps) {
    object_sums_.assign(plan_.combinations.size(), 0);
    for (const auto& [id, scores] : maps) {  // by id, so that the sums do not depend on buckets
      for (size_t i = 0; i < scores.size(); ++i) object_sums_[i] += scores[i];
    }
    for (double& sum : object_sums_) sum /= static_cast<double>(maps.size());
    decoding_ = best_decoding(plan_.combinations, object_sums_);
  }

  void score_bucket(const std::vector<GridSample>& samples, const fs::path& folder) const {
    PackWriter pack("report");
    Value rows = Value::array();
    for (const GridSample& sample : samples) {
      const PixelMaps maps = predictor_.on_sample({sample.image, index_.bits}, sample.width, sample.height);
      const int width = sample.labels.width, height = sample.labels.height;
      const PixelMaps native = Predictor::at_size(maps, width, height);
      const FoundObjects found = find_objects(native, decoding_.threshold, decoding_.rules);
      const PixelValues picture(sample.image, index_.bits);
      const std::vector<uint8_t> seen = ShownRange(picture).bytes(picture);
      // The shards keep the sample: the overlay is that, brought to native size.
      const Image shown = enlarged(sample, seen, width, height);
      write_files(folder, sample.id, native, found, shown);
      write_table_parts(table_parts(folder / tables_name, sample.id), sample.id, found);
      Value row = {{"id", sample.id}};
      if (!sample.mask.empty()) {
        row["scores"] = to_json(SampleScores{count_pixels(maps.foreground(), sample.mask, decoding_.threshold),
                                             native_counts(found, sample.labels), score_objects(sample.labels, found),
                                             calibration_of(native.foreground(), foreground_of(sample.labels))});
        row["otsu"] = otsu_scores({{sample.image, index_.bits}, sample.width, sample.height, index_.channels},
                                  sample.labels, decoding_.rules);
      }
      rows.push_back(std::move(row));
      add_shown(pack, {sample, seen, index_.channels, maps.foreground(), own_size_});
    }
    pack.write(folder / "report.safetensors");
    pipeline::write_file(folder / "rows.json", rows.dump());
  }

  static void write_files(const fs::path& folder, const std::string& id, const PixelMaps& native,
                          const FoundObjects& found, const Image& shown) {
    PredictionFiles files(folder, id, native.width, native.height);
    const auto width = static_cast<size_t>(native.width);
    for (size_t y = 0; y < static_cast<size_t>(native.height); ++y)
      files.add_probability(native.foreground().subspan(y * width, width));
    files.finish(found, &shown);
  }

  Image enlarged(const GridSample& sample, const std::vector<uint8_t>& seen, int width, int height) const {
    Image native = sample_picture(width, height, index_.channels, {});
    native.bytes.resize(native.values());
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const size_t from = (static_cast<size_t>(y) * sample.height / height * sample.width +
                             static_cast<size_t>(x) * sample.width / width) *
                            index_.channels;
        std::copy_n(&seen[from], index_.channels,
                    &native.bytes[(static_cast<size_t>(y) * width + x) * index_.channels]);
      }
    }
    return native;
  }

  std::string publish(const std::vector<Chunk>& chunks) {
    const fs::path predictions = outputs_.at("predictions");
    std::map<std::string, Value> rows;
    std::map<std::string, fs::path> packs;
    for (const Chunk& chunk : chunks) {
      for (Value row : Value::parse(pipeline::read_file(chunk.folder / "rows.json"))) {
        const std::string id = row.at("id");
        packs.emplace(id, chunk.folder / "report.safetensors");
        rows.emplace(id, std::move(row));
      }
      for (const std::string& id : chunk.members) {
        const fs::path labels = labels_file(chunk.folder, id);
        pipeline::link_or_copy(labels, predictions / labels.lexically_relative(chunk.folder));
        for (const char* part : {"probability", "overlays"})
          pipeline::link_or_copy(chunk.folder / part / (id + ".png"), predictions / part / (id + ".png"));
      }
    }
    std::vector<TableParts> tables;
    for (const auto& [id, pack] : packs) tables.push_back(table_parts(pack.parent_path() / tables_name, id));
    join_tables(predictions, tables);
    publish_metrics(rows);
    publish_shown(shown_choice(rows), packs, predictions);
    ModelDescription model = predictor_.model();
    model.threshold = decoding_.threshold;
    model.threshold_rule = rule_;
    model.instances = decoding_.rules;
    rewrite_model(model_, outputs_.at("model"), model);
    return "";
  }

  void publish_metrics(const std::map<std::string, Value>& rows) const {
    const fs::path folder = outputs_.at("metrics");
    using Rows = std::vector<SampleScores>;
    std::map<std::string, Rows> subsets;
    std::map<std::string, std::map<std::string, Rows>> looks, relatives;  // of each subset
    Value samples = Value::array();
    for (const auto& [id, row] : rows) {
      if (!row.contains("scores")) continue;
      const std::string& subset = subset_of_.at(id);
      subsets[subset].push_back(sample_scores_from_json(row.at("scores")));
      if (const auto look = looks_.find(id); look != looks_.end())
        looks[subset][look->second].push_back(subsets[subset].back());
      if (subset != "train" && !related_.empty())
        relatives[subset][related_.count(id) > 0 ? "with" : "without"].push_back(subsets[subset].back());
      Value listed = row.at("scores");
      listed.at("native").erase("calibration");
      if (own_size_) listed.erase("grid");  // they are of no common grid
      listed["id"] = id;
      listed["subset"] = subset;
      samples.push_back(std::move(listed));
    }
    Value metrics = {{"schema", 1}, {"threshold", decoding_.threshold}, {"instances", to_json(decoding_)}};
    metrics["instances"]["connectivity"] = decoding_.rules.connectivity;
    CsvTable csv({"subset", "grid", "average", "metric", "value"});
    for (const std::string& subset : scored_subsets) {
      if (!subsets.count(subset)) continue;
      metrics[subset] = summarise_scores(subsets.at(subset), !own_size_);
      for (const auto& [look, of_look] : looks[subset])
        metrics[subset]["looks"][look] = summarise_scores(of_look, false);
      for (const auto& [which, of_them] : relatives[subset])
        metrics[subset]["relatives"][which] = summarise_scores(of_them, false);
      add_rows(subset, metrics.at(subset), csv);
    }
    add_otsu(metrics, rows, subset_of_);
    write_json(folder / "metrics.json", metrics);
    pipeline::write_file(folder / "metrics.csv", csv.text());
    write_json(folder / "samples.json", {{"schema", 1}, {"samples", samples}});
    Value thresholds = {{"schema", 1},
                        {"subset", "validation"},
                        {"rule", rule_},
                        {"chosen", decoding_.threshold},
                        {"points", sweep_points(sweep_)}};
    for (size_t i = 0; i < object_sums_.size(); ++i) {
      Value tried = to_json(plan_.combinations[i]);
      tried["map"] = object_sums_[i];
      thresholds["objects"].push_back(std::move(tried));
    }
    write_json(folder / "thresholds.json", thresholds);
  }

  // Which samples the report shows.
  ShownChoice shown_choice(const std::map<std::string, Value>& rows) const {
    ShownChoice choice{static_cast<size_t>(parameters_.shown), parameters_.seed, {}};
    for (const auto& [id, row] : rows) {
      std::optional<double> dice;
      if (row.contains("scores")) dice = row.at("scores").at("native").at("dice");
      choice.samples[id] = {subset_of_.at(id), dice};
    }
    return choice;
  }

  static void add_precisions(const std::string& subset, const Value& ap, CsvTable& csv) {
    for (const auto& [name, average] : {std::pair("by_image", "image mean"), std::pair("pooled", "pooled")}) {
      for (size_t i = 0; i < ap.at(name).size(); ++i)
        csv.add({subset, "native", average, fmt::format("ap{}", 50 + 5 * i), ap.at(name)[i].dump()});
    }
  }

  static void add_rows(const std::string& subset, const Value& summary, CsvTable& csv) {
    for (const char* grid : {"grid", "native"}) {
      if (!summary.contains(grid)) continue;
      for (const auto& [average, figures] : summary.at(grid).items()) {
        if (average == "ap") {
          add_precisions(subset, figures, csv);
          continue;
        }
        if (!figures.is_object()) {
          csv.add({subset, grid, "image mean", average, figures.dump()});
          continue;
        }
        for (const auto& [name, value] : figures.items()) csv.add({subset, grid, average, name, value.dump()});
      }
    }
  }
  EvalParameters parameters_;
  fs::path shards_;
  ShardIndex index_;
  bool own_size_;  // of the samples; else all lie on one grid
  fs::path model_;
  Predictor predictor_;
  std::map<std::string, fs::path> outputs_;
  std::map<std::string, std::string> subset_of_;
  std::set<std::string> related_;
  std::map<std::string, std::string> looks_;  // the visual type of each image, where metadata is an input
  DecodingPlan plan_;
  Decoding decoding_;
  std::vector<double> object_sums_;  // rank 0: of each combination, where several were tried, its mean AP
  std::string rule_;                 // rank 0
  std::vector<PixelCounts> sweep_;   // rank 0
};

class EvalBody final : public pipeline::StageBody {
 public:
  std::unique_ptr<pipeline::SharedWork> share(pipeline::StageContext& context) override {
    return std::make_unique<EvalWork>(context);
  }
};

}  // namespace

std::unique_ptr<pipeline::StageBody> eval_body() { return std::make_unique<EvalBody>(); }

}  // namespace penstock::stages
