#include "stages/archives/pattern_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "stages/archives/layout_names.h"
#include "stages/archives/name_pattern.h"

namespace penstock::stages {
namespace {

// Where a sample lies and its id, as a key.
std::string key_of(const NamePattern::Fit& fit) { return fit.above.empty() ? fit.id : fit.above + "/" + fit.id; }

class PatternSorter {
 public:
  PatternSorter(const std::vector<NamedFile>& files, const LayoutPatterns& patterns)
      : files_(files), patterns_(patterns) {
    if (!patterns.masks.empty()) masks_.emplace(patterns.masks);
  }

  Sorting sort() {
    if (patterns_.images.empty())
      find_images();
    else
      take_images(NamePattern(patterns_.images));
    if (sorting_.drafts.empty())
      throw Error(ExitCode::data,
                  fmt::format("no image fits images = \"{}\" (the first of {} files is {})", patterns_.images,
                              files_.size(), files_.empty() ? "none" : files_.front().shown));
    for (size_t i = 0; i < sorting_.drafts.size(); ++i) enter(i);
    for (const auto& [file, fits] : candidates_) attach(file, fits);
    const auto& drafts = sorting_.drafts;
    if (masks_ && std::all_of(drafts.begin(), drafts.end(), [](const Draft& d) { return d.masks.empty(); })) {
      throw Error(ExitCode::data,
                  fmt::format("no file fits masks = \"{}\" with the id of an image ({} is the first of {}, "
                              "with the id '{}')",
                              patterns_.masks, drafts.front().image.shown, drafts.size(),
                              distributed::printable_name(drafts.front().id)));
    }
    return std::move(sorting_);
  }

 private:
  // Images by names; what fits `masks`, and folders of other masks, are no images.
  void find_images() {
    std::vector<NamedFile> rest;
    for (const NamedFile& file : files_) {
      auto fits = file.image ? masks_->fits(file.path) : std::vector<NamePattern::Fit>();
      if (!fits.empty())
        candidates_.emplace_back(file, std::move(fits));
      else if (file.image && in_folder_of_masks(file))
        sorting_.left_over.emplace_back(file, "it does not fit `masks`");
      else
        rest.push_back(file);
    }
    Sorting found = sort_by_names(rest);
    for (Draft& draft : found.drafts) {
      for (const NamedFile& mask : draft.masks) sorting_.left_over.emplace_back(mask, "it does not fit `masks`");
      draft.masks.clear();
      draft.layout = "patterns";
    }
    sorting_.drafts = std::move(found.drafts);
    sorting_.ignored = std::move(found.ignored);
  }

  static bool in_folder_of_masks(const NamedFile& file) {
    const auto parts = parts_of(file.path);
    for (size_t i = parts.size() - 1; i-- > 0;) {
      if (const Role role = meaning_of_folder(parts[i]).role; role != Role::none) return role == Role::mask;
    }
    return false;
  }

  // A file that fits both patterns is a mask where its id as a mask is that of another image.
  void take_images(const NamePattern& images) {
    std::vector<std::pair<const NamedFile*, NamePattern::Fit>> fitting;
    std::set<std::string> keys;
    for (const NamedFile& file : files_) {
      const auto fits = file.image ? images.fits(file.path) : std::vector<NamePattern::Fit>();
      if (fits.empty()) continue;
      keys.insert(key_of(fits.front()));
      fitting.emplace_back(&file, fits.front());
    }
    std::set<const NamedFile*> taken;
    for (const auto& [file, fit] : fitting) {
      if (masks_) {
        const auto as_mask = masks_->fits(file->path);
        if (std::any_of(as_mask.begin(), as_mask.end(), [&, own = key_of(fit)](const auto& other) {
              return key_of(other) != own && keys.count(key_of(other));
            }))
          continue;
      }
      taken.insert(file);
      add(*file, fit);
    }
    for (const NamedFile& file : files_) {
      if (taken.count(&file)) continue;
      auto fits = masks_ && file.image ? masks_->fits(file.path) : std::vector<NamePattern::Fit>();
      if (!fits.empty())
        candidates_.emplace_back(file, std::move(fits));
      else if (file.image)
        sorting_.left_over.emplace_back(file,
                                        masks_ ? "it fits neither `images` nor `masks`" : "it does not fit `images`");
      else
        sorting_.ignored.emplace_back(file, file.path.ends_with(".zip") ? "an archive" : "not an image");
    }
  }

  void add(const NamedFile& file, const NamePattern::Fit& fit) {
    Draft draft{fit.id, {}, "", file, {}, "patterns"};
    if (!fit.above.empty()) draft.above = parts_of(fit.above);
    for (const std::string& part : parts_of(file.path)) {
      if (const auto subset = subset_named(part); !subset.empty()) draft.subset = subset;
    }
    sorting_.drafts.push_back(std::move(draft));
  }

  void enter(size_t draft) {
    const Draft& one = sorting_.drafts[draft];
    std::string key;
    for (const std::string& part : one.above) key += part + "/";
    by_key_.emplace(name_key(key + one.id), draft);
    const auto [found, fresh] = by_id_.emplace(name_key(one.id), draft);
    if (!fresh) found->second = ambiguous;
  }

  void attach(const NamedFile& file, const std::vector<NamePattern::Fit>& fits) {
    for (const auto& fit : fits) {
      const auto found = by_key_.find(key_of(fit));
      if (found != by_key_.end()) {
        sorting_.drafts[found->second].masks.push_back(file);
        return;
      }
    }
    for (const auto& fit : fits) {
      const auto found = by_id_.find(fit.id);
      if (found != by_id_.end() && found->second != ambiguous) {
        sorting_.drafts[found->second].masks.push_back(file);
        return;
      }
    }
    sorting_.left_over.emplace_back(file, "a mask without an image of its id");
  }

  static constexpr size_t ambiguous = static_cast<size_t>(-1);

  const std::vector<NamedFile>& files_;
  const LayoutPatterns& patterns_;
  std::optional<NamePattern> masks_;
  std::vector<std::pair<NamedFile, std::vector<NamePattern::Fit>>> candidates_;  // for masks
  std::map<std::string, size_t> by_key_, by_id_;
  Sorting sorting_;
};

}  // namespace

Sorting sort_by_patterns(const std::vector<NamedFile>& files, const LayoutPatterns& patterns) {
  return PatternSorter(files, patterns).sort();
}

}  // namespace penstock::stages
