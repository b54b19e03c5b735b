// unzip: archives of images and masks become packs of samples, the files' bytes unchanged.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "pipeline/files.h"
#include "pipeline/interruption.h"
#include "stages/archives/catalogue.h"
#include "stages/archives/layout_names.h"
#include "stages/kinds.h"
#include "stages/packs/json_file.h"
#include "stages/packs/pack.h"
#include "stages/packs/packed_samples.h"
#include "stages/packs/quarantine.h"
#include "stages/packs/sample_pack.h"
#include "stages/rehearsal.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

struct UnzipParameters {
  int64_t max_entries = 2'000'000;
  int64_t max_gibibytes = 256;
  double max_ratio = 2000;
  int64_t max_name_length = 1024;
  int64_t max_depth = 4;
  int64_t limit = 0;
  std::string images;
  std::string masks;
  std::string on_bad = "fail";

  void describe(pipeline::ParameterVisitor& visit) {
    visit("max_entries", max_entries,
          {.help = "refuse an archive with more entries", .minimum = 1, .affects_output = false});
    visit("max_gibibytes", max_gibibytes,
          {.help = "refuse an archive that unpacks to more, GiB", .minimum = 1, .affects_output = false});
    visit("max_ratio", max_ratio,
          {.help = "refuse an entry that unpacks to more than this many times its size",
           .minimum = 1,
           .affects_output = false});
    visit("max_name_length", max_name_length,
          {.help = "refuse a longer entry name, bytes", .minimum = 16, .affects_output = false});
    visit("max_depth", max_depth,
          {.help = "refuse an archive that lies in more archives, one in the other",
           .minimum = 0,
           .maximum = 16,
           .affects_output = false});
    visit(
        "images", images,
        {.help = "which files are images, where the known layouts do not say it, for example raw/{id}.tif: {id} is the "
                 "sample's id, * any characters but /, ** any, ? one; the pattern fits a path's end. Without `masks`, "
                 "no image has a mask",
         .as_before = ""});
    visit("masks", masks,
          {.help = "which files are masks, for example gt/{id}_*.png; several files of one id are one object each. "
                   "Without `images`, these are found by the known layouts",
           .as_before = ""});
    visit("limit", limit,
          {.help = "take only this many samples, those whose ids have the smallest SHA-256, so that a larger limit "
                   "keeps them and adds more; 0: all",
           .minimum = 0,
           .as_before = 0});
    visit("on_bad", on_bad,
          about_on_bad("with an entry of a zip that is damaged (what its image shows is judged by resize.on_bad)",
                       "catalogue.json"));
  }

  ArchiveLimits limits() const {
    return {static_cast<uint64_t>(max_entries), static_cast<uint64_t>(max_gibibytes) << 30, max_ratio,
            static_cast<uint64_t>(max_name_length), static_cast<int>(max_depth)};
  }
};

constexpr const char* chunk_file = "samples.safetensors";

class UnzipWork final : public pipeline::SharedWork {
 public:
  explicit UnzipWork(pipeline::StageContext& context) : stage_(context.stage), output_(context.output("images")) {
    const auto parameters = pipeline::read_parameters<UnzipParameters>(context.values);
    on_bad_ = on_bad_named(parameters.on_bad);
    for (const pipeline::InputSource& source : context.inputs.at("archive")) {
      sources_.push_back(source.path.filename().string());
      for (auto& archive : open_archives(source.path, parameters.limits())) archives_.push_back(std::move(archive));
    }
    catalogue_ = make_catalogue(archives_, {parameters.images, parameters.masks});
    if (parameters.limit > 0) keep_some(static_cast<size_t>(parameters.limit));
    for (const CataloguedSample& sample : catalogue_.samples) by_id_.emplace(sample.id, &sample);
  }

  // A bucket's bytes are its samples', whatever the limits.
  std::optional<pipeline::Values> parameters_of(int) const override { return pipeline::Values(); }

  std::vector<pipeline::Sample> samples(int) override {
    spdlog::info("unzip: {}", catalogue_.described());
    if (!catalogue_.left_over.empty()) spdlog::warn("unzip: {}", catalogue_.left_over_described());
    std::vector<pipeline::Sample> all;
    bad_.clear();
    for (const CataloguedSample& sample : catalogue_.samples) {
      pipeline::throw_if_interrupted(entry(sample.image).shown);
      pipeline::Hasher hasher;
      const auto fault = fault_of([&] {
        add(hasher, sample.image);
        for (const FileReference& mask : sample.masks) add(hasher, mask);
      });
      if (fault)
        bad_.push_back({sample.id, entry(sample.image).name, *fault});
      else
        all.push_back({sample.id, {{"archive", hasher.finish()}}});
    }
    return all;
  }

  void run_bucket(int, const std::vector<std::string>& members, const std::filesystem::path& folder) override {
    PackWriter pack("images");
    BadSamples bad;
    for (const std::string& id : members) {
      const CataloguedSample& sample = *by_id_.at(id);
      std::vector<File> files;
      if (const auto fault = fault_of([&] { files = files_of(sample); })) {
        bad.push_back({id, entry(sample.image).name, *fault});
        continue;
      }
      for (const auto& [name, bytes] : files) pack.add(name, Element::u8, {static_cast<int64_t>(bytes.size())}, bytes);
      pack.close_sample(id, {{"image", file_name_of(sample.image)},
                             {"masks", sample.masks.size()},
                             {"labelled", !sample.masks.empty()},
                             {"entry", entry(sample.image).name}});
    }
    pack.write(folder / chunk_file);
    write_bad(folder, bad);
  }

  std::string finish(int, const std::vector<Chunk>& chunks) override {
    BadSamples bad = bad_in(chunks, on_bad_);
    bad.insert(bad.end(), bad_.begin(), bad_.end());
    const Value rows = adopt_packs(chunks, chunk_file, output_, [&](Value& row) {
      const CataloguedSample& sample = *by_id_.at(row.at("id"));
      row["bytes"] = entry(sample.image).bytes;
      if (!sample.subset.empty()) row["subset"] = sample.subset;
    });
    Value layouts = Value::array();
    for (const LayoutCount& one : catalogue_.layouts)
      layouts.push_back({{"layout", one.layout}, {"samples", one.samples}, {"labelled", one.labelled}});
    // The sources' own names say nothing of their content, and would make equal archives differ.
    Value catalogue = {{"schema", 1},
                       {"sources", sources_.size()},
                       {"layouts", layouts},
                       {"samples", rows},
                       {"ignored", listed(catalogue_.ignored)},
                       {"left_over", listed(catalogue_.left_over)}};
    put_bad(catalogue, bad, rows.size() + bad.size(), stage_, "catalogue.json");
    write_json(output_ / "catalogue.json", catalogue);
    return "";
  }

 private:
  static Value listed(const std::vector<std::pair<std::string, std::string>>& entries) {
    Value list = Value::array();
    for (const auto& [name, reason] : entries) list.push_back({{"entry", name}, {"reason", reason}});
    return list;
  }

  void keep_some(size_t limit) {
    auto& samples = catalogue_.samples;
    if (samples.size() <= limit) return;
    const auto order = [](const CataloguedSample& sample) { return pipeline::digest_of(sample.id); };
    std::stable_sort(samples.begin(), samples.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
    samples.resize(limit);
    std::sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  }

  const ArchiveEntry& entry(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }

  void add(pipeline::Hasher& hasher, const FileReference& file) const {
    hasher.field(entry(file).name).field(archives_[file.archive]->digest(file.entry));
  }

  std::string file_name_of(const FileReference& file) const { return file_name(entry(file).name); }

  // As fault_in, of damaged entries alone: a file of a folder that cannot be read is the disk's fault.
  template <typename Read>
  std::optional<std::string> fault_of(const Read& read) const {
    try {
      read();
      return std::nullopt;
    } catch (const DamagedEntry& damaged) {
      if (on_bad_ == OnBad::fail) throw;
      return damaged.without_archive();
    }
  }

  using File = std::pair<std::string, std::vector<uint8_t>>;  // its name in the pack, its bytes
  std::vector<File> files_of(const CataloguedSample& sample) const {
    std::vector<File> files;
    const auto take = [&](const std::string& name, const FileReference& file) {
      files.emplace_back(name, archives_[file.archive]->read(file.entry));
    };
    take(pack_entry::image_file(sample.id, file_name_of(sample.image)), sample.image);
    for (const FileReference& mask : sample.masks) take(pack_entry::mask_file(sample.id, file_name_of(mask)), mask);
    return files;
  }

  std::string stage_;
  OnBad on_bad_ = OnBad::fail;
  BadSamples bad_;  // rank 0, of those whose packed bytes cannot be had
  std::filesystem::path output_;
  std::vector<std::string> sources_;
  std::vector<std::unique_ptr<Archive>> archives_;
  Catalogue catalogue_;
  std::map<std::string, const CataloguedSample*> by_id_;
};

class UnzipBody final : public pipeline::StageBody {
 public:
  std::unique_ptr<pipeline::SharedWork> share(pipeline::StageContext& context) override {
    return std::make_unique<UnzipWork>(context);
  }
};

}  // namespace

pipeline::StageKind unzip_kind() {
  pipeline::StageKind kind;
  kind.name = "unzip";
  kind.version = 2;
  kind.summary = "takes images and masks out of zip archives or folders, checked";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {
      {.name = "archive",
       .help = "zip files, folders, or an upstream's archive: <id>/images/*, <id>/masks/*; or pairs by name in "
               "two folders (" +
               names_of_folders(Role::image) + "; " + names_of_folders(Role::mask) +
               ") or side by side (x.png, x_mask.png); or images alone",
       .by_sample = true,
       .many = true}};
  kind.outputs = {{.name = "images", .help = "packs of the files' bytes by sample, and catalogue.json"}};
  kind.parameters = pipeline::specifications_of<UnzipParameters>();
  kind.rehearsal = {{"limit", rehearsed_samples}};
  kind.check = [](const pipeline::CheckView& view, pipeline::Problems& problems) {
    const auto parameters = pipeline::read_parameters<UnzipParameters>(view.values);
    for (const auto& [name, pattern] : {std::pair("images", parameters.images), std::pair("masks", parameters.masks)}) {
      if (!pattern.empty() && pattern.find("{id}") == std::string::npos) {
        problems.push_back(
            {name, fmt::format("the pattern '{}' must hold {{id}}, as \"raw/{{id}}.tif\" does", pattern)});
      }
    }
  };
  kind.body = [] { return std::make_unique<UnzipBody>(); };
  return kind;
}

}  // namespace penstock::stages
