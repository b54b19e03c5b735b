// penstock predict: images of any size and layout through a trained model, shared out over the ranks.
#include "stages/predict.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "distributed/collectives.h"
#include "distributed/printable.h"
#include "pipeline/files.h"
#include "pipeline/tree_walk.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/resize_image.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/compute/model/model_input.h"
#include "stages/compute/model/predictor.h"
#include "stages/compute/scores/prediction_tables.h"
#include "stages/compute/scores/score_sample.h"
#include "stages/images/catalogue.h"
#include "stages/images/json_file.h"
#include "stages/images/picture.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using pipeline::Value;

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
  std::vector<uint8_t> read(size_t) const override {
    const std::string bytes = pipeline::read_file(file_);
    return {bytes.begin(), bytes.end()};
  }
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
        catalogue_(make_catalogue(archives_)),
        predictor_(model),
        input_(read_model_input(model)),
        output_(request.output) {}

  const Catalogue& catalogue() const { return catalogue_; }
  const ModelDescription& model() const { return predictor_.model(); }

  // Writes the images of one sample; its table rows and scores.
  Value predict(const CataloguedSample& sample) const {
    const std::string shown = entry(sample.image).shown;
    const ModelDescription& model = predictor_.model();
    const Image image =
        read_picture(bytes(sample.image), shown, input_, static_cast<int>(model.architecture.in_channels)).image;
    const Image grid = to_grid(image, model.width, model.height);
    const auto probability = predictor_.on_grid(grid.bytes);
    NativePrediction native{image.width, image.height, predictor_.at_size(probability, image.width, image.height), {}};
    native.objects = components(native.probability, image.width, image.height, model.threshold, model.instances);
    write_prediction(output_, sample.id, native, &image);
    Value row = {{"id", sample.id}, {"tables", PredictionTables::rows_of(native)}};
    if (!sample.masks.empty()) row["scores"] = to_json(score(sample, image, native));
    return row;
  }

 private:
  const ArchiveEntry& entry(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }
  std::vector<uint8_t> bytes(const FileReference& file) const { return archives_[file.archive]->read(file.entry); }

  SampleScores score(const CataloguedSample& sample, const Image& image, const NativePrediction& native) const {
    std::vector<std::vector<uint8_t>> contents;
    std::vector<MaskFile> files;
    for (const FileReference& mask : sample.masks) contents.push_back(bytes(mask));
    for (size_t i = 0; i < contents.size(); ++i) files.push_back({entry(sample.masks[i]).shown, contents[i]});
    const LabelMap truth = merge_masks(files, image.width, image.height).map;
    SampleScores scores;
    scores.native = native_counts(native, truth, predictor_.model().threshold);
    scores.objects = score_objects(truth, native.objects);
    return scores;
  }

  std::vector<std::unique_ptr<Archive>> archives_;
  Catalogue catalogue_;
  Predictor predictor_;
  PictureRule input_;
  fs::path output_;
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

void write_summary(const PredictRequest& request, const ModelDescription& model,
                   const std::vector<std::string>& shares) {
  std::map<std::string, Value> rows;
  for (const std::string& share : shares) {
    for (Value row : Value::parse(share)) {
      const std::string id = row.at("id");
      rows.emplace(id, std::move(row));
    }
  }
  PredictionTables tables;
  std::vector<SampleScores> scores;
  for (const auto& [id, row] : rows) {
    tables.add(id, row.at("tables"));
    if (row.contains("scores")) scores.push_back(sample_scores_from_json(row.at("scores")));
  }
  tables.write(request.output);
  if (!scores.empty()) {
    const Value metrics = {{"schema", 1}, {"threshold", model.threshold}, {"all", summarise_scores(scores, false)}};
    write_json(request.output / "metrics.json", metrics);
    spdlog::info("predict: {} of {} images have masks: native Dice {:.4f}, mAP {:.4f}", scores.size(), rows.size(),
                 metrics.at("all").at("native").at("micro").at("dice").get<double>(),
                 metrics.at("all").at("native").at("map").get<double>());
  }
  spdlog::info("predict: {} images into {}", rows.size(), request.output.string());
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
    if (ranks.rank() == 0) {
      if (fs::exists(request.output) && !fs::is_empty(request.output))
        throw Error(ExitCode::cannot_create, request.output.string() + ": exists and is not empty");
      pipeline::make_folder(request.output);
    }
    prediction = std::make_unique<Prediction>(request, model);
  });
  if (ranks.rank() == 0 && prediction->model().threshold_rule == "default") {
    spdlog::warn("predict: this model has no threshold chosen on validation; 0.5 is used (eval's model has one)");
  }
  std::string share;
  agreed(ranks, "predicting", [&] { share = predict_share(*prediction, ranks.rank(), ranks.size(), threads); });
  const auto shares = distributed::gather_texts(ranks, share, "predictions");
  agreed(ranks, "writing tables", [&] {
    if (ranks.rank() == 0) write_summary(request, prediction->model(), shares);
  });
}

}  // namespace penstock::stages
