#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <torch/version.h>

#include <map>

#include "distributed/collectives.h"
#include "distributed/world.h"
#include "stages/compute/bodies.h"
#include "stages/compute/data/shard_samples.h"
#include "stages/compute/model/model_input.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/make_step.h"
#include "stages/compute/training/device_memory.h"
#include "stages/compute/training/fixed_choice.h"
#include "stages/compute/training/initial_weights.h"
#include "stages/compute/training/micro_batch.h"
#include "stages/compute/training/trainer.h"
#include "stages/cuda_library.h"
#include "stages/packs/data_summary.h"
#include "stages/packs/json_file.h"
#include "stages/training/balances.h"
#include "stages/training/normalisations.h"
#include "stages/training/norms.h"
#include "stages/training/precisions.h"
#include "stages/training/training_layout.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

// A crop where samples keep their own size, else all of a sample.
InputShape input_shape_of(const TrainParameters& parameters, const ShardIndex& index) {
  if (index.rule.own_size()) {
    const auto side = static_cast<int>(parameters.crop);
    return {side, side, index.channels, index.bits};
  }
  if (const std::string given = parameters.given_for_crops(); !given.empty()) {
    throw Error(
        ExitCode::config,
        fmt::format("train.{} has no effect on samples that resize.mode = \"{}\" brought to {} x {}: take it out, "
                    "or let resize keep each picture's size (resize.mode = \"native\")",
                    given, index.rule.mode, index.rule.width, index.rule.height));
  }
  return {index.rule.width, index.rule.height, index.channels, index.bits};
}

// Says of each training sample how often an epoch takes it, so that rare visual types are seen more often.
void balance_looks(const pipeline::StageContext& context, TrainData& data) {
  const std::filesystem::path file = context.input("metadata") / "metadata.json";
  const auto look_of = looks_of(read_json(file));
  std::vector<double> areas;
  std::vector<std::string> looks;
  for (const GridSample& sample : data.train) {
    const auto found = look_of.find(sample.id);
    if (found == look_of.end()) {
      throw Error(ExitCode::data,
                  fmt::format("{}: has no image '{}', which the split trains on; train.balance needs the metadata of "
                              "the same images (inspect.metadata)",
                              file.string(), sample.id));
    }
    areas.push_back(area_in_crops(sample.height, sample.width, data.input.height, data.input.width));
    looks.push_back(found->second);
  }
  const std::vector<int64_t> counts = balanced_crops(areas, looks);
  std::map<std::string, std::pair<int64_t, int64_t>> totals;  // of each type: samples, crops
  for (size_t i = 0; i < counts.size(); ++i) {
    data.train[i].crops = counts[i];
    ++totals[looks[i]].first, totals[looks[i]].second += counts[i];
  }
  std::string text;
  for (const auto& [look, total] : totals)
    text += fmt::format("{}{} {} samples {} times", text.empty() ? "" : ", ", total.first, look, total.second);
  if (context.ranks.rank() == 0) spdlog::info("{}: an epoch takes {}", context.stage, text);
}

struct Subsets {
  std::vector<std::string> train, validation;  // ids
};

Subsets subsets_of(const pipeline::StageContext& context) {
  const Value subsets = read_json(context.input("split") / "split.json").at("subsets");
  return {subsets.at("train"), subsets.at("validation")};
}

// A device keeps what it trains on; only the host's step reads samples one at a time.
std::optional<int64_t> cache_limit_of(const pipeline::StageContext& context, const TrainParameters& parameters) {
  const auto limit = parameters.cache_limit();
  if (!limit || !trains_on_gpus(parameters, context.ranks)) return limit;
  if (context.ranks.rank() == 0) {
    spdlog::warn(
        "{}: cache_bytes has no effect on a GPU, which keeps all samples: every rank reads them all into memory; "
        "device = \"cpu\" keeps to {} bytes",
        context.stage, *limit);
  }
  return std::nullopt;
}

// Of the samples with these ids only where they lie is kept, and the pixels of `limit` bytes of them.
void read_as_needed(const std::filesystem::path& shards, const Subsets& subsets, Truth truth, int64_t limit,
                    TrainData& data) {
  std::vector<std::string> ids = subsets.train;
  ids.insert(ids.end(), subsets.validation.begin(), subsets.validation.end());
  const auto stored = std::make_shared<ShardSamples>(shards, data.index, ids, truth);
  data.cache =
      std::make_shared<SampleCache>(SampleCache::Store{[stored](int number) { return stored->read(number); },
                                                       [stored](int number) { return stored->bytes_of(number); }},
                                    stored->size(), limit);
  for (int number = 0; number < stored->size(); ++number) {
    GridSample sample = stored->header(number);
    sample.source = data.cache;
    const bool trains = static_cast<size_t>(number) < subsets.train.size();
    (trains ? data.train : data.validation).push_back(std::move(sample));
  }
}

TrainData read_data(const pipeline::StageContext& context, const TrainParameters& parameters) {
  const auto& shards = context.input("shards");
  const auto limit = cache_limit_of(context, parameters);
  const auto doing = context.watch.reading(shards.string());
  TrainData data;
  data.index = read_shard_index(shards);
  data.input = input_shape_of(parameters, data.index);
  const Subsets subsets = subsets_of(context);
  const Truth truth = parameters.targets.size() > 1 ? Truth::objects : Truth::masks;
  if (subsets.train.empty()) throw Error(ExitCode::data, "the split gives no sample to train on");
  if (limit) {
    read_as_needed(shards, subsets, truth, *limit, data);
  } else {
    data.train = read_samples(shards, data.index, subsets.train, truth);
    data.validation = read_samples(shards, data.index, subsets.validation, truth);
  }
  if (balance_rule(parameters.balance).by_look) balance_looks(context, data);
  return data;
}

void check_input(const TrainParameters& parameters, const InputShape& input) {
  if (const std::string name = augmentation_of_colours(parameters.augment); !name.empty() && input.channels != 3) {
    throw Error(
        ExitCode::config,
        fmt::format("train.augment has \"{}\", which mixes the 3 channels of colour pictures; these samples have "
                    "{}: take it out, or let resize make 3 (resize.channels)",
                    name, input.channels));
  }
  const int64_t factor = int64_t{1} << parameters.depth;
  if (input.width % factor != 0 || input.height % factor != 0) {
    throw Error(ExitCode::config,
                fmt::format("depth {} halves the image {} times, so width and height must be "
                            "multiples of {}; they are {} x {} (resize.width and resize.height, or train.crop)",
                            parameters.depth, parameters.depth, factor, input.width, input.height));
  }
  if (norm_rule(parameters.norm).over_micro_batch() &&
      parameters.micro_batch * (input.width / factor) * (input.height / factor) == 1) {
    throw Error(
        ExitCode::config,
        fmt::format("with micro_batch 1 and depth {} the bottom of the U is one pixel of {} x {} samples, and a batch "
                    "norm of one value is undefined; take a larger micro_batch, less depth or norm = \"group\"",
                    parameters.depth, input.width, input.height));
  }
}

// "auto": as the data set has it.
std::string normalisation_for(const pipeline::StageContext& context, const TrainParameters& parameters) {
  if (parameters.normalise != chosen_by_data) return parameters.normalise;
  const auto chosen = chosen_normalisation(read_json(context.input("metadata") / "metadata.json"));
  spdlog::info("{}: normalise = \"{}\" is {}: {}", context.stage, chosen_by_data, chosen.name, chosen.why);
  return chosen.name;
}

Normaliser normaliser_for(const pipeline::StageContext& context, const TrainParameters& parameters,
                          const TrainData& data) {
  const auto& shards = context.input("shards");
  const auto each = [&](const SeeImage& see) {
    if (data.cache == nullptr) {
      for (const GridSample& sample : data.train) see({sample.image, data.index.bits});
      return;
    }
    std::map<uint32_t, std::vector<std::string>> by_file;
    for (const GridSample& sample : data.train) by_file[data.index.record(sample.id).file].push_back(sample.id);
    for (const auto& [file, ids] : by_file) {
      for (const GridSample& sample : read_samples(shards, data.index, ids, Truth::masks))
        see({sample.image, data.index.bits});
    }
  };
  Normaliser normaliser = measured_normaliser(normalisation_for(context, parameters), each, data.input.channels);
  normaliser.low = parameters.percentile_low, normaliser.high = parameters.percentile_high;
  return normaliser;
}

Value environment() { return {{"LibTorch", TORCH_VERSION}, {"penstock", PENSTOCK_VERSION}}; }

// Batch norm's statistics are of one micro-batch: at the bottom of the U it may see a handful of pixels.
void warn_of_small_batches(const TrainParameters& parameters, const InputShape& input,
                           const pipeline::StageContext& context) {
  constexpr int64_t enough = 32;
  const int64_t factor = int64_t{1} << parameters.depth;
  const int64_t seen = parameters.micro_batch * (input.width / factor) * (input.height / factor);
  if (context.ranks.rank() != 0 || !norm_rule(parameters.norm).over_micro_batch() || seen >= enough) return;
  spdlog::warn(
      "{}: batch norm at the bottom of the U sees {} values a channel (micro_batch {} of {} x {} pixels); a larger "
      "micro_batch, norm = \"group\" or less depth gives steadier statistics",
      context.stage, seen, parameters.micro_batch, input.width / factor, input.height / factor);
}

void warn_of_slow_precision(const TrainParameters& parameters, const pipeline::StageContext& context) {
  const bool on_gpus = trains_on_gpus(parameters, context.ranks);
  if (context.ranks.rank() != 0 || on_gpus || !precision_rule(parameters.precision).bfloat16) return;
  if (multiplies_bfloat16()) return;
  spdlog::warn(
      "{}: this processor has no instructions for bfloat16 (AVX-512 BF16): precision = \"{}\" is many times "
      "slower here than \"fp32\"",
      context.stage, parameters.precision);
}

std::string crops_in_words(const TrainData& data) {
  if (!data.index.rule.own_size()) return "";
  return fmt::format(" in {} crops of {} x {} an epoch", crops_of(data.train, data.input).size(), data.input.width,
                     data.input.height);
}

// All that a training needs before its first step.
struct Prepared {
  TrainParameters parameters;
  TrainData data;
  Normaliser normaliser;
  std::unique_ptr<Trainer> trainer;
};

TrainingShape shape_of(const Prepared& prepared) {
  const TrainParameters& p = prepared.parameters;
  return {p, architecture_of(p, prepared.data.input.channels), prepared.data.input, prepared.normaliser,
          prepared.data.train};
}

std::unique_ptr<StepDevice> open_gpu(distributed::Communicator& alone) { return cuda_library().open_device(alone); }

// precision = "auto": the faster one on the machines of the first attempt.
void fix_precision(TrainParameters& parameters, pipeline::StageContext& context) {
  if (!precision_rule(parameters.precision).by_machine) return;
  const auto choose = [&] { return Value(faster_precision(parameters, context.ranks)); };
  parameters.precision =
      fixed_choice(context.ranks, context.progress, context.relatives, "precision", choose).get<std::string>();
  spdlog::info("{}: precision = \"auto\" is {}", context.stage, parameters.precision);
}

// "auto": on GPUs the largest that fits the smallest of them.
void fix_micro_batch(Prepared& prepared, pipeline::StageContext& context) {
  TrainParameters& parameters = prepared.parameters;
  const bool gpus = trains_on_gpus(parameters, context.ranks);
  const auto choose = [&]() -> int64_t {
    if (!gpus) return parameters.micro_batch;
    const auto doing = context.watch.loading("how large a micro-batch fits");
    const auto candidates = micro_batch_candidates(parameters.global_batch, context.ranks.size());
    return largest_fitting(candidates, [&](int64_t micro) { return fits(shape_of(prepared), micro, open_gpu); })
        .value_or(candidates.front());
  };
  parameters.micro_batch = fixed_micro_batch(context.ranks, context.progress, context.relatives, choose);
  spdlog::info("{}: micro_batch = \"auto\" is {}", context.stage, parameters.micro_batch);
}

// A GPU whose memory is not enough: the memory of the training is given back, and smaller micro-batches are tried.
bool train_or_say_what_fits(Prepared& prepared, pipeline::StageContext& context) {
  try {
    return prepared.trainer->train();
  } catch (const DeviceMemoryError& error) {
    prepared.trainer.reset();
    const auto doing = context.watch.loading("which micro-batch would fit");
    throw Error(error.code(), error.what() + what_fits_instead(shape_of(prepared), context.ranks.size(), open_gpu));
  }
}

std::unique_ptr<Prepared> prepare(pipeline::StageContext& context) {
  keep_memory();
  auto prepared = std::make_unique<Prepared>();
  prepared->parameters = train_parameters_of(context.values);
  prepared->data = read_data(context, prepared->parameters);
  const TrainParameters& parameters = prepared->parameters;
  const TrainData& data = prepared->data;
  check_input(parameters, data.input);
  prepared->normaliser = normaliser_for(context, parameters, data);
  prepared->data.index.samples = {};  // large data sets have long lists
  fix_precision(prepared->parameters, context);
  if (parameters.chooses_micro_batch()) fix_micro_batch(*prepared, context);
  prepared->trainer = std::make_unique<Trainer>(parameters, data, prepared->normaliser, context);
  if (context.has("init")) {
    const auto initial = initial_weights(context.input("init"), prepared->trainer->layout(),
                                         prepared->trainer->current_weights(), parameters.init_layers);
    if (context.ranks.rank() == 0)
      spdlog::info("{}: starts from {}", context.stage, described(initial, context.input("init")));
    prepared->trainer->start_from(initial.weights);
  }
  return prepared;
}

void train(pipeline::StageContext& context) {
  const auto start = std::chrono::steady_clock::now();
  const auto prepared = prepare(context);
  const auto& [parameters, data, normaliser, own] = *prepared;
  Trainer& trainer = *own;
  if (context.ranks.rank() == 0 && context.ranks.size() > parameters.micro_shards()) {
    spdlog::warn(
        "{}: {} ranks share {} micro-shards of a step: {} of them train nothing; a larger global_batch or smaller "
        "micro_batch uses them",
        context.stage, context.ranks.size(), parameters.micro_shards(),
        context.ranks.size() - parameters.micro_shards());
  }
  warn_of_small_batches(parameters, data.input, context);
  warn_of_slow_precision(parameters, context);
  spdlog::info("{}: {} samples{}, {} for validation; {} weights; {} micro-shards of {} a step", context.stage,
               data.train.size(), crops_in_words(data), data.validation.size(), trainer.layout().parameter_count,
               parameters.micro_shards(), parameters.micro_batch);
  if (!train_or_say_what_fits(*prepared, context)) return;

  const auto hosts = distributed::gather_texts(context.ranks, distributed::host_name(), "host names");
  if (context.ranks.rank() != 0) return;
  ModelDescription model;
  model.architecture = trainer.architecture();
  model.targets = parameters.targets;
  model.width = data.input.width, model.height = data.input.height;
  model.normaliser = normaliser;
  model.rule = data.index.rule;
  if (parameters.chooses_micro_batch()) model.micro_batch = parameters.micro_batch;
  model.averaged = parameters.ema;
  spdlog::info("{}: final weights {}", context.stage,
               digest_of_weights(trainer.final_weights().parameters, trainer.final_weights().statistics).hex());
  const std::string digest = write_model(context.output("model"), model, trainer.layout(), trainer.final_weights());
  write_model_input(context.output("model"), input_of(data.index.others));
  Value curves = trainer.curves();
  if (precision_rule(train_parameters_of(context.values).precision).by_machine)
    curves["precision"] = parameters.precision;
  curves["weights_digest"] = digest;
  write_json(context.output("curves") / "curves.json", curves);
  Value telemetry = trainer.telemetry();
  telemetry["hosts"] = hosts;
  telemetry["wall_seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  telemetry["environment"] = environment();
  write_json(context.output("telemetry") / "telemetry.json", telemetry);
}

}  // namespace

std::string replay(pipeline::StageContext& context, int64_t until) { return prepare(context)->trainer->replay(until); }

std::unique_ptr<pipeline::StageBody> train_body() { return pipeline::body_of(train); }

}  // namespace penstock::stages
