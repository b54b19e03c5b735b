// penstock predict: images of any size and layout through a trained model, shared out over the ranks.
#include "stages/predict.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "distributed/collectives.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "pipeline/files.h"
#include "pipeline/large_files.h"
#include "pipeline/tree_walk.h"
#include "stages/archives/catalogue.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/compute/model/model_input.h"
#include "stages/compute/model/predictor.h"
#include "stages/compute/prediction_folder.h"
#include "stages/compute/scores/object_finder.h"
#include "stages/compute/scores/prediction_files.h"
#include "stages/compute/scores/prediction_tables.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/compute/scores/summaries.h"
#include "stages/images/picture.h"
#include "stages/packs/csv.h"
#include "stages/packs/json_file.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

// Pictures of so many bytes in their file, or values in memory, are predicted one at a time.
constexpr uint64_t large_file = uint64_t{16} << 20;
constexpr size_t large_picture = size_t{1} << 26;

// A model folder, or a run's folder with one inside.
fs::path model_folder(const fs::path& given) {
  for (const fs::path& folder : {given, given / "model"}) {
    if (fs::exists(folder / "model.json")) return folder;
  }
  throw Error(ExitCode::data, given.string() + ": holds no model (no model.json there or in model/)");
}

// One image file as an archive of one entry.
class SingleFile final : public Archive {
 public:
  explicit SingleFile(fs::path file) : file_(std::move(file)) {
    entries_.push_back({file_.filename().string(), distributed::printable_name(file_.string()), fs::file_size(file_)});
  }
  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  std::vector<uint8_t> read(size_t) const override { return pipeline::read_bytes(file_); }
  pipeline::Digest digest(size_t) const override { return pipeline::digest_of_file(file_); }

 private:
  fs::path file_;
  std::vector<ArchiveEntry> entries_;
};

std::vector<std::unique_ptr<Archive>> open_inputs(const std::vector<fs::path>& inputs) {
  std::vector<std::unique_ptr<Archive>> archives;
  for (const fs::path& input : inputs) {
    pipeline::require_whole_link(input);
    if (!fs::exists(input)) throw Error(ExitCode::data, input.string() + ": does not exist");
    if (fs::is_regular_file(input) && looks_like_image_name(input.string())) {
      archives.push_back(std::make_unique<SingleFile>(input));
    } else {
      for (auto& archive : open_archives(input, {})) archives.push_back(std::move(archive));
    }
  }
  return archives;
}

class Prediction {
 public:
  Prediction(const PredictRequest& request, const fs::path& model)
      : archives_(open_inputs(request.inputs)),
        catalogue_(make_catalogue(archives_, {}, SameStem::keeps_ending)),
        predictor_(model),
        input_(read_model_input(model)),
        folder_(request.output, model),
        keep_going_(request.keep_going) {}

  const Catalogue& catalogue() const { return catalogue_; }
  // Which file each id stands for: images.csv.
  std::string files_by_id() const {
    CsvTable table({"id", "entry"});
    for (const CataloguedSample& sample : catalogue_.samples) table.add({sample.id, entry(sample.image).shown});
    return table.text();
  }
  const ModelDescription& model() const { return predictor_.model(); }
  const PredictionFolder& folder() const { return folder_; }

  // Of this rank's share of samples with one mask file, what their masks show; as JSON.
  std::string survey_share(int rank, int ranks) const {
    Value rows = Value::array();
    for (size_t i = static_cast<size_t>(rank); i < catalogue_.samples.size(); i += static_cast<size_t>(ranks)) {
      const CataloguedSample& sample = catalogue_.samples[i];
      if (sample.masks.size() != 1 || has_several()) continue;
      const std::string& shown = entry(sample.masks.front()).shown;
      try {
        const auto content = bytes(sample.masks.front());
        rows.push_back(
            {{"name", shown}, {"statistics", to_json(statistics_of(read_mask({shown, content}, input_.page)))}});
      } catch (const Error&) {
        if (!keep_going_) throw;  // else the sample itself fails, by name
      }
    }
    return rows.dump();
  }

  // From the shares of all ranks. Where it cannot be told what masks mean, nothing is scored, and that is returned.
  std::string decide(const std::vector<std::string>& shares) {
    std::vector<NamedStatistics> masks;
    for (const std::string& share : shares) {
      for (const Value& row : Value::parse(share))
        masks.push_back({row.at("name"), mask_statistics_from(row.at("statistics"))});
    }
    if (masks.empty() && !has_several()) return "";
    try {
      const MaskDecision decision = decide_masks(std::nullopt, has_several(), masks);
      rule_ = decision.rule;
      return fmt::format("masks mean {} ({})", name_of(decision.rule.meaning), decision.why);
    } catch (const Error& error) {
      return std::string("the masks are not scored: ") + error.what();
    }
  }

  // The scores of one sample, whose pictures and tables are written unless they are there already. `"done"`: they were.
  // `"failed"` instead: why it could not be read, where predict goes on with the others.
  Value predict(const CataloguedSample& sample) const {
    try {
      const pipeline::Digest digest = digest_of(sample);
      if (auto row = folder_.find(sample.id, digest)) {
        (*row)["done"] = true;
        return *row;
      }
      const Value row = predict_anew(sample);
      folder_.add(sample.id, digest, row);
      return row;
    } catch (const Error& error) {
      if (error.code() != ExitCode::data) throw;
      if (!keep_going_) {
        throw Error(ExitCode::data, error.what() + std::string("; with --keep-going the others are predicted, and the "
                                                               "same command continues where it was"));
      }
      return {{"id", sample.id}, {"entry", entry(sample.image).shown}, {"failed", error.what()}};
    }
  }

 private:
  // Of all that decides its results, beside the model.
  pipeline::Digest digest_of(const CataloguedSample& sample) const {
    pipeline::Hasher hasher;
    hasher.field(archives_[sample.image.archive]->digest(sample.image.entry));
    for (const FileReference& mask : sample.masks) hasher.field(archives_[mask.archive]->digest(mask.entry));
    hasher.field(rule_ ? to_json(*rule_).dump() : std::string());
    return hasher.finish();
  }

  Image read(const CataloguedSample& sample) const {
    const auto channels = static_cast<int>(model().architecture.in_channels);
    return read_picture(bytes(sample.image), entry(sample.image).shown, input_, channels, Grey::stays).image;
  }

  // One large picture at a time, so that what it takes is not multiplied by the threads.
  Value predict_anew(const CataloguedSample& sample) const {
    std::unique_lock alone(large_, std::defer_lock);
    if (entry(sample.image).bytes >= large_file) alone.lock();
    std::optional<Image> image = read(sample);
    if (image->values() >= large_picture && !alone.owns_lock() && !alone.try_lock()) {
      image.reset();  // not held while another one is predicted
      alone.lock();
      image = read(sample);
    }
    return predict_picture(sample, *image);
  }

  Value predict_picture(const CataloguedSample& sample, const Image& image) const {
    const std::string& shown = entry(sample.image).shown;
    const SampleSize size{image.width, image.height}, own = predictor_.sample_size_of(image, shown);
    const bool scaled = own.width != size.width || own.height != size.height;
    const Image other = scaled ? sample_of(image, shown) : Image{};
    PredictionFiles files(folder_.path(), sample.id, size.width, size.height);
    ObjectFinder finder(size.width, size.height, model().targets, model().threshold, model().instances);
    predictor_.on_rows(scaled ? other : image, own, size, [&](int, std::span<const float> values) {
      files.add_probability(values.first(static_cast<size_t>(size.width)));
      finder.add_row(values);
    });
    const FoundObjects found = finder.finish();
    files.finish(found, &image);
    write_table_parts(folder_.tables_of(sample.id), sample.id, found);
    Value row = {{"id", sample.id}};
    if (!sample.masks.empty() && rule_) row["scores"] = to_json(score(sample, found));
    return row;
  }

  // In all channels of the model: resizing does not promise the same bytes for one channel and for three.
  Image sample_of(const Image& image, const std::string& shown) const {
    const auto channels = static_cast<int>(model().architecture.in_channels);
    if (image.channels == channels) return predictor_.sample_of(image, shown);
    return predictor_.sample_of(to_channels(image, channels), shown);
  }

  bool has_several() const {
    return std::any_of(catalogue_.samples.begin(), catalogue_.samples.end(),
                       [](const CataloguedSample& sample) { return sample.masks.size() > 1; });
  }

  const ArchiveEntry& entry(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }
  std::vector<uint8_t> bytes(const FileReference& file) const { return archives_[file.archive]->read(file.entry); }

  SampleScores score(const CataloguedSample& sample, const FoundObjects& found) const {
    std::vector<std::vector<uint8_t>> contents;
    std::vector<MaskFile> files;
    for (const FileReference& mask : sample.masks) contents.push_back(bytes(mask));
    for (size_t i = 0; i < contents.size(); ++i) files.push_back({entry(sample.masks[i]).shown, contents[i]});
    const LabelMap truth = read_masks(files, found.width, found.height, *rule_, input_.page).map;
    return {{}, native_counts(found, truth), score_objects(truth, found)};
  }

  std::vector<std::unique_ptr<Archive>> archives_;
  Catalogue catalogue_;
  Predictor predictor_;
  PictureRule input_;
  PredictionFolder folder_;
  bool keep_going_;
  std::optional<MaskRule> rule_;  // of masks, where they can be scored
  mutable std::mutex large_;      // whose holder predicts a large picture
};

// This rank's share: every size-th sample, on its threads. Rows as one JSON text.
std::string predict_share(const Prediction& prediction, int rank, int ranks, int threads) {
  const auto& samples = prediction.catalogue().samples;
  std::atomic<size_t> next{static_cast<size_t>(rank)};
  std::mutex mutex;
  Value rows = Value::array();
  distributed::Outcome failure;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < threads; ++worker) {
    workers.emplace_back([&] {
      for (size_t i; (i = next.fetch_add(static_cast<size_t>(ranks))) < samples.size();) {
        try {
          Value row = prediction.predict(samples[i]);
          const std::lock_guard lock(mutex);
          rows.push_back(std::move(row));
        } catch (...) {
          const std::lock_guard lock(mutex);
          failure = distributed::current_failure();
          next = samples.size();
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (failure.code != ExitCode::done) throw Error(failure.code, failure.message);
  return rows.dump();
}

void write_summary(const PredictRequest& request, const Prediction& prediction,
                   const std::vector<std::string>& shares) {
  std::map<std::string, Value> rows;
  for (const std::string& share : shares) {
    for (Value row : Value::parse(share)) {
      const std::string id = row.at("id");
      rows.emplace(id, std::move(row));
    }
  }
  std::vector<TableParts> tables;
  CsvTable failures({"id", "entry", "reason"});
  std::vector<SampleScores> scores;
  size_t done = 0, failed = 0;
  for (const auto& [id, row] : rows) {
    if (row.contains("failed")) {
      failures.add({id, row.at("entry"), row.at("failed")});
      spdlog::warn("predict: {}", row.at("failed").get<std::string>());
      ++failed;
      continue;
    }
    done += row.value("done", false);
    tables.push_back(prediction.folder().tables_of(id));
    if (row.contains("scores")) scores.push_back(sample_scores_from_json(row.at("scores")));
  }
  join_tables(request.output, tables);
  pipeline::write_file(request.output / "images.csv", prediction.files_by_id());
  if (!scores.empty()) {
    const Value metrics = {
        {"schema", 1}, {"threshold", prediction.model().threshold}, {"all", summarise_scores(scores, false)}};
    write_json(request.output / "metrics.json", metrics);
    spdlog::info("predict: {} of {} images have masks: native Dice {:.4f}, mAP {:.4f}", scores.size(), rows.size(),
                 metrics.at("all").at("native").at("micro").at("dice").get<double>(),
                 metrics.at("all").at("native").at("map").get<double>());
  }
  std::filesystem::remove(request.output / "failed.csv");
  if (failed > 0) pipeline::write_file(request.output / "failed.csv", failures.text());
  spdlog::info("predict: {} into {}{}", pipeline::counted(static_cast<int64_t>(rows.size() - failed), "image"),
               request.output.string(), done > 0 ? fmt::format(", {} of them done before", done) : "");
  if (failed == 0) return;
  throw Error(ExitCode::data,
              fmt::format("predict: {} of {} images could not be read, and are listed in {}; the results "
                          "of the others are there",
                          failed, rows.size(), (request.output / "failed.csv").string()));
}

// What goes wrong on one rank is thrown on all.
template <typename Body>
void agreed(distributed::Communicator& ranks, std::string_view what, const Body& body) {
  distributed::Outcome mine;
  try {
    body();
  } catch (...) {
    mine = distributed::current_failure();
  }
  const distributed::Agreed all = distributed::agree(ranks, mine, what);
  if (all.rank >= 0) throw Error(all.outcome.code, all.outcome.message);
}

}  // namespace

void predict(const PredictRequest& request, distributed::Communicator& ranks, int threads) {
  std::unique_ptr<Prediction> prediction;
  agreed(ranks, "opening the model and the images", [&] {
    const fs::path model = model_folder(request.model);
    if (ranks.rank() == 0) PredictionFolder(request.output, model).open();
    prediction = std::make_unique<Prediction>(request, model);
  });
  if (ranks.rank() == 0 && prediction->model().threshold_rule == "default") {
    spdlog::warn("predict: this model has no threshold chosen on validation; 0.5 is used (eval's model has one)");
  }
  const Catalogue& catalogue = prediction->catalogue();
  if (ranks.rank() == 0) {
    spdlog::info("predict: {}", catalogue.described());
    if (!catalogue.left_over.empty()) spdlog::warn("predict: {}", catalogue.left_over_described());
    if (const auto& kept = catalogue.with_ending; !kept.empty()) {
      spdlog::info(
          "predict: {} images differ from another in the ending of their names alone, so their ids keep it ('{}', "
          "'{}'{}); "
          "images.csv says which file each id stands for",
          kept.size(), kept[0], kept[1], kept.size() > 2 ? ", ..." : "");
    }
  }
  std::string survey;
  agreed(ranks, "reading masks", [&] { survey = prediction->survey_share(ranks.rank(), ranks.size()); });
  const std::string meaning = prediction->decide(distributed::gather_texts(ranks, survey, "masks"));
  if (ranks.rank() == 0 && !meaning.empty()) spdlog::info("predict: {}", meaning);
  std::string share;
  agreed(ranks, "predicting", [&] { share = predict_share(*prediction, ranks.rank(), ranks.size(), threads); });
  const auto shares = distributed::gather_texts(ranks, share, "predictions");
  agreed(ranks, "writing tables", [&] {
    if (ranks.rank() == 0) write_summary(request, *prediction, shares);
  });
}

}  // namespace penstock::stages
