// The first pass of resize: looks at the masks, where need be, and decides what they mean. Samples with several mask
// files are not decoded: several files are objects.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "pipeline/stage.h"
#include "stages/compute/data/resize_masks.h"
#include "stages/packs/packed_samples.h"
#include "stages/packs/quarantine.h"

namespace penstock::stages {

// The mask files of a sample in a pack of unzip's, in the order of their names.
std::vector<MaskFile> mask_files(const Pack& pack, const std::string& id);

// A part of a SharedWork; its calls are those of the same names there, for one pass.
class MaskSurvey {
 public:
  // `wanted` is a row of mask_choices(); `images` outlives the survey. With OnBad::quarantine a mask that cannot be
  // read has no say: the pass that makes the samples meets it again, and lists it.
  MaskSurvey(const std::string& wanted, const PackedSamples& images, const std::set<std::string>& excluded,
             const PageChoice& page = {}, OnBad on_bad = OnBad::fail);

  std::vector<pipeline::Sample> samples() const;
  void run_bucket(const std::vector<std::string>& members, const std::filesystem::path& folder) const;
  std::string finish(const std::vector<pipeline::SharedWork::Chunk>& chunks);  // logs what masks mean
  void decided(const std::string& decision);

  const MaskRule& rule() const { return rule_; }
  // For samples.json, on rank 0 after finish: {"meaning", "chosen": "auto" or "given", "why"}; null without masks.
  pipeline::Value described() const;

 private:
  std::optional<MaskMeaning> wanted_;
  const PackedSamples& images_;
  const std::set<std::string>& excluded_;
  PageChoice page_;
  OnBad on_bad_;
  bool several_ = false;
  bool any_ = false;
  MaskRule rule_;
  std::string why_;
};

}  // namespace penstock::stages
