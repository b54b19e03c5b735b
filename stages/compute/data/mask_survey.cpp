#include "stages/compute/data/mask_survey.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "pipeline/files.h"
#include "stages/packs/json_file.h"
#include "stages/packs/sample_pack.h"

namespace penstock::stages {

using pipeline::Value;

namespace {

constexpr const char* rows_file = "masks.json";

}  // namespace

std::vector<MaskFile> mask_files(const Pack& pack, const std::string& id) {
  const std::string prefix = pack_entry::mask_files(id);
  std::vector<MaskFile> files;
  const auto names = pack.names();
  for (auto name = std::lower_bound(names.begin(), names.end(), prefix);
       name != names.end() && name->starts_with(prefix); ++name) {
    files.push_back({*name, pack.array(*name).bytes});
  }
  return files;
}

MaskSurvey::MaskSurvey(const std::string& wanted, const PackedSamples& images, const std::set<std::string>& excluded,
                       const PageChoice& page, OnBad on_bad)
    : wanted_(mask_meaning_named(wanted)), images_(images), excluded_(excluded), page_(page), on_bad_(on_bad) {
  for (const Value& record : images_.records()) {
    if (excluded_.count(record.at("id"))) continue;
    any_ |= record.at("masks").get<int>() > 0;
    several_ |= record.at("masks").get<int>() > 1;
  }
}

std::vector<pipeline::Sample> MaskSurvey::samples() const {
  if (wanted_ ? !depends_on_the_set(*wanted_) : several_) return {};
  auto all = images_.listed("images");
  std::erase_if(all, [this](const pipeline::Sample& sample) {
    return excluded_.count(sample.id) || images_.record(sample.id).at("masks").get<int>() != 1;
  });
  return all;
}

void MaskSurvey::run_bucket(const std::vector<std::string>& members, const std::filesystem::path& folder) const {
  Value rows = Value::array();
  for (const std::string& id : members) {
    const MaskFile file = mask_files(images_.pack_of(id), id).front();
    MaskNumbers mask;
    if (fault_in(on_bad_, [&] { mask = read_mask(file, page_); })) continue;
    rows.push_back({{"name", file.name}, {"statistics", to_json(statistics_of(mask))}});
  }
  pipeline::write_file(folder / rows_file, rows.dump());
}

std::string MaskSurvey::finish(const std::vector<pipeline::SharedWork::Chunk>& chunks) {
  std::vector<NamedStatistics> masks;
  for (const auto& chunk : chunks) {
    for (const Value& row : read_json(chunk.folder / rows_file))
      masks.push_back({row.at("name"), mask_statistics_from(row.at("statistics"))});
  }
  const MaskDecision decision = decide_masks(wanted_, several_, masks);
  why_ = decision.why;
  if (any_) spdlog::info("resize: masks mean {} ({})", name_of(decision.rule.meaning), why_);
  return to_json(decision.rule).dump();
}

void MaskSurvey::decided(const std::string& decision) { rule_ = mask_rule_from(Value::parse(decision)); }

Value MaskSurvey::described() const {
  if (!any_) return nullptr;
  return {{"meaning", name_of(rule_.meaning)}, {"chosen", wanted_ ? "given" : "auto"}, {"why", why_}};
}

}  // namespace penstock::stages
