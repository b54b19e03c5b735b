#include "stages/archives/layouts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "stages/archives/layout_names.h"

namespace penstock::stages {
namespace {

using distributed::printable_name;
using Parts = std::vector<std::string>;

std::string path_of(const Parts& parts) { return fmt::format("{}", fmt::join(parts, "/")); }

// A stem for comparing: "x.ome" of x.ome.tif is "x".
std::string key_of(const Parts& inside, const std::string& path) {
  std::string stem = stem_name(path);
  if (stem.size() > 4 && stem.ends_with(".ome")) stem.resize(stem.size() - 4);
  return name_key(inside.empty() ? stem : path_of(inside) + "/" + stem);
}

struct Item {
  NamedFile file;
  Parts above;      // folders that it lies in, without the one that says image or mask
  std::string key;  // sub-folders inside that folder, and the stem
  std::string subset;
};
using Items = std::vector<Item>;

// Folders of images and of masks that stand side by side.
struct Place {
  Parts path;
  std::map<std::string, Items> images, masks;  // by folder
  std::vector<NamedFile> texts;                // among the masks

  size_t image_count() const {
    size_t count = 0;
    for (const auto& [folder, items] : images) count += items.size();
    return count;
  }
};

// Which masks belong to which image.
struct Matching {
  std::map<const Item*, std::vector<const Item*>> masks;
  std::set<const Item*> used;
  bool by_channel = false;  // the images' names without nnU-Net's number
};

std::string image_key(const Item& image, bool by_channel) {
  return by_channel ? without_channel_number(image.key).value_or(image.key) : image.key;
}

Matching match(const Items& images, const Items& masks, bool by_channel) {
  std::map<std::string, const Item*> by_key;
  for (const Item& image : images) by_key.emplace(image_key(image, by_channel), &image);
  const auto image_of = [&](const std::string& key) {
    const auto found = by_key.find(key);
    return found == by_key.end() ? nullptr : found->second;
  };
  Matching matching;
  matching.by_channel = by_channel;
  for (const Item& mask : masks) {
    const Item* image = image_of(mask.key);
    if (image == nullptr) {
      if (const auto stem = without_mask_suffix(mask.key)) image = image_of(*stem);
    }
    if (image == nullptr) image = image_of(folder_name(mask.key));  // masks/<id>/<any>
    if (image == nullptr) continue;
    matching.masks[image].push_back(&mask);
    matching.used.insert(&mask);
  }
  return matching;
}

void refuse_two_masks(const Matching& matching) {
  for (const auto& [image, masks] : matching.masks) {
    const auto by_name = [&, key = image_key(*image, matching.by_channel)](const Item* mask) {
      return folder_name(mask->key) != key;
    };
    if (masks.size() < 2 || std::none_of(masks.begin(), masks.end(), by_name)) continue;
    throw Error(ExitCode::data,
                fmt::format("{} has two masks of its name, {} and {}: take one of them away, or say which with unzip's "
                            "`masks`, for example masks = \"{}/{{id}}*{}\"",
                            image->file.shown, masks[0]->file.shown, masks[1]->file.shown,
                            printable_name(folder_name(masks[0]->file.path)),
                            printable_name(masks[0]->file.path.substr(masks[0]->file.path.rfind('.')))));
  }
}

void refuse_channel_files(const Items& images) {
  std::map<std::string, const Item*> first;
  for (const Item& image : images) {
    const auto base = without_channel_number(image.key);
    const auto [found, fresh] = first.emplace(base.value_or(image.key), &image);
    if (fresh || !base) continue;
    throw Error(
        ExitCode::data,
        fmt::format("{} and {} are channels of one sample in files of their own (nnU-Net's _0000, _0001), which "
                    "are not read together: merge them into one file, or take one with unzip's `images` and "
                    "`masks`, for example images = \"{}/{{id}}_0000.*\"",
                    found->second->file.shown, image.file.shown, printable_name(folder_name(image.file.path))));
  }
}

class Sorter {
 public:
  Sorting sort(const std::vector<NamedFile>& files) {
    for (const NamedFile& file : files) add(file);
    adopt_loose();
    const auto singles = static_cast<size_t>(
        std::count_if(places_.begin(), places_.end(), [](const auto& one) { return is_single(one.second); }));
    size_t with_images = 0;
    for (const auto& [key, place] : places_) with_images += place.image_count() > 0;
    for (auto& [key, place] : places_) {
      const bool usual = singles * 2 > with_images && (singles > 1 || place.masks.empty());
      if (is_single(place) && (usual || !is_pair(place)))
        add_folder(place);
      else
        add_pairs(place);
    }
    for (const auto& [folder, items] : loose_) add_beside(items, "images");
    refuse_unused_masks();
    return std::move(sorting_);
  }

 private:
  void add(const NamedFile& file) {
    Parts parts = parts_of(file.path);
    parts.pop_back();
    Item item{file, parts, "", ""};
    for (const std::string& part : parts) {
      if (const auto subset = subset_named(part); !subset.empty()) item.subset = subset;
    }
    for (size_t i = parts.size(); i-- > 0;) {
      const FolderMeaning meaning = meaning_of_folder(parts[i]);
      if (meaning.role == Role::none) continue;
      const Parts path(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i));
      const Parts inside(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1, parts.end());
      Place& place = places_[path_of(path) + "\n" + std::string(meaning.subset)];
      place.path = path;
      if (!file.image) {
        if (meaning.role == Role::mask) place.texts.push_back(file);
        return ignore(file);
      }
      item.above.erase(item.above.begin() + static_cast<std::ptrdiff_t>(i));
      item.key = key_of(inside, file.path);
      if (!meaning.subset.empty()) item.subset = meaning.subset;
      auto& folders = meaning.role == Role::image ? place.images : place.masks;
      folders[path_of(Parts(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i) + 1))].push_back(item);
      return;
    }
    if (!file.image) return ignore(file);
    item.key = key_of({}, file.path);
    loose_[path_of(parts)].push_back(std::move(item));
  }

  void ignore(const NamedFile& file) {
    sorting_.ignored.emplace_back(file, file.path.ends_with(".zip") ? "an archive" : "not an image");
  }

  // <any>.png above masks/<any>.png: the folder that holds the folder of masks is that of the images.
  void adopt_loose() {
    for (auto& [key, place] : places_) {
      if (!place.images.empty() || place.masks.empty()) continue;
      const auto loose = loose_.find(path_of(place.path));
      if (loose == loose_.end()) continue;
      const bool fits = std::any_of(place.masks.begin(), place.masks.end(), [&](const auto& masks) {
        return !match(loose->second, masks.second, false).used.empty();
      });
      if (!fits) continue;
      place.images[loose->first] = std::move(loose->second);
      loose_.erase(loose);
    }
  }

  // What may be <id>/images/<one>, <id>/masks/*.
  static bool is_single(const Place& place) {
    return place.image_count() == 1 && !place.path.empty() && subset_named(place.path.back()).empty();
  }

  // One image without masks, or with one mask of its name: a pair like others, if these are pairs.
  static bool is_pair(const Place& place) {
    size_t masks = 0;
    for (const auto& [folder, items] : place.masks) masks += items.size();
    if (masks == 0) return true;
    return masks == 1 && !match(place.images.begin()->second, place.masks.begin()->second, false).used.empty();
  }

  void add_folder(const Place& place) {
    if (!place.texts.empty())
      throw Error(ExitCode::data, place.texts.front().shown + ": is among the masks, but not an image");
    if (place.masks.size() > 1) refuse_two_folders(place.images.begin()->first, place.masks);
    const Item& image = place.images.begin()->second.front();
    Draft draft{place.path.back(), {place.path.begin(), place.path.end() - 1}, image.subset, image.file, {},
                dsb2018_layout};
    if (!place.masks.empty()) {
      for (const Item& mask : place.masks.begin()->second) draft.masks.push_back(mask.file);
    }
    sorting_.drafts.push_back(std::move(draft));
  }

  [[noreturn]] static void refuse_two_folders(const std::string& images, const std::map<std::string, Items>& masks) {
    const std::string first = printable_name(masks.begin()->first), second = printable_name(masks.rbegin()->first);
    throw Error(ExitCode::data,
                fmt::format("the masks of the images in {} may be those in {} or those in {}, which fit equally well: "
                            "choose with unzip's `masks`, for example masks = \"{}/{{id}}*\"",
                            printable_name(images), first, second, first));
  }

  struct Choice {
    std::string folder;  // of the images
    const Items* images = nullptr;
    Matching matching;
  };

  Choice choose(const std::string& folder, const Items& images, const Place& place) const {
    const bool nnunet = meaning_of_folder(file_name(folder)).channel_files;
    Choice best{folder, &images, {}};
    best.matching.by_channel = nnunet;
    std::map<std::string, Items> equal;
    for (const auto& [where, masks] : place.masks) {
      Matching matching = match(images, masks, nnunet);
      if (matching.masks.empty() && !nnunet) matching = match(images, masks, true);
      if (matching.masks.size() > best.matching.masks.size()) {
        best.matching = std::move(matching);
        equal = {{where, masks}};
      } else if (!matching.masks.empty() && matching.masks.size() == best.matching.masks.size()) {
        equal.emplace(where, masks);
      }
    }
    if (equal.size() > 1) refuse_two_folders(folder, equal);
    if (best.matching.by_channel) refuse_channel_files(images);
    refuse_two_masks(best.matching);
    return best;
  }

  void add_pairs(const Place& place) {
    std::vector<Choice> choices;
    for (const auto& [folder, images] : place.images) choices.push_back(choose(folder, images, place));
    std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
      return a.matching.masks.size() > b.matching.masks.size();
    });
    std::map<const Item*, const Choice*> taken;  // mask -> who has it
    for (const Choice& choice : choices) {
      const auto rival = std::find_if(choice.matching.used.begin(), choice.matching.used.end(),
                                      [&](const Item* mask) { return taken.count(mask) != 0; });
      if (rival != choice.matching.used.end()) {
        leave(choice, *taken.at(*rival));
        continue;
      }
      for (const Item* mask : choice.matching.used) taken.emplace(mask, &choice);
      if (choice.matching.masks.empty())
        add_beside(*choice.images, "images", choice.matching.by_channel);
      else
        add_matched(choice);
    }
    for (const auto& [folder, masks] : place.masks) {
      for (const Item& mask : masks) {
        if (taken.count(&mask) == 0) unused_.push_back(&mask.file);
      }
    }
  }

  // The masks of these images are those of a folder that fits better, or as well.
  void leave(const Choice& choice, const Choice& better) {
    if (choice.matching.masks.size() == better.matching.masks.size()) {
      const std::string first = printable_name(better.folder), second = printable_name(choice.folder);
      throw Error(ExitCode::data,
                  fmt::format("the masks in {} may be those of the images in {} or of those in {}, which fit equally "
                              "well: choose with unzip's `images` and `masks`, for example images = \"{}/{{id}}.*\", "
                              "masks = \"{}/{{id}}*\"",
                              printable_name(folder_name((*choice.matching.used.begin())->file.path)), first, second,
                              first, printable_name(folder_name((*choice.matching.used.begin())->file.path))));
    }
    for (const Item& image : *choice.images)
      sorting_.left_over.emplace_back(image.file, "its masks are those of the images in " + better.folder);
  }

  void add_matched(const Choice& choice) {
    std::set<std::string> keys;
    for (const Item& image : *choice.images) keys.insert(image.key);
    for (const Item& image : *choice.images) {
      const auto beside = without_mask_suffix(image.key);
      if (choice.matching.masks.count(&image) == 0 && beside && keys.count(*beside)) {
        throw Error(
            ExitCode::data,
            fmt::format("{} may be a mask beside its image, but {} is one too: choose with unzip's `images` and "
                        "`masks`, or take one of them away",
                        image.file.shown, (*choice.matching.used.begin())->file.shown));
      }
      std::vector<NamedFile> masks;
      if (const auto own = choice.matching.masks.find(&image); own != choice.matching.masks.end()) {
        for (const Item* mask : own->second) masks.push_back(mask->file);
      }
      add_draft(image, std::move(masks), "folders", choice.matching.by_channel);
    }
  }

  void add_draft(const Item& image, std::vector<NamedFile> masks, const char* layout, bool by_channel) {
    std::string id = stem_name(image.file.path);
    if (by_channel) id = without_channel_number(id).value_or(id);
    sorting_.drafts.push_back({std::move(id), image.above, image.subset, image.file, std::move(masks), layout});
  }

  // Image and mask in one folder: x.png, x_mask.png.
  void add_beside(const Items& items, const char* alone, bool by_channel = false) {
    if (by_channel) refuse_channel_files(items);
    std::map<std::string, const Item*> by_key;
    for (const Item& item : items) by_key.emplace(item.key, &item);
    const auto base_of = [&](const std::optional<std::string>& key) -> const Item* {
      const auto found = key ? by_key.find(*key) : by_key.end();
      return found == by_key.end() ? nullptr : found->second;
    };
    Matching matching;
    std::set<const Item*> companions;
    for (const Item& item : items) {
      if (const Item* image = base_of(without_mask_suffix(item.key))) {
        matching.masks[image].push_back(&item);
        matching.used.insert(&item);
      } else if (base_of(without_companion_suffix(item.key)) != nullptr) {
        companions.insert(&item);
        sorting_.ignored.emplace_back(item.file, "what Cellpose writes beside an image");
      }
    }
    refuse_two_masks(matching);
    for (const Item& item : items) {
      if (matching.used.count(&item) || companions.count(&item)) continue;
      std::vector<NamedFile> masks;
      if (const auto own = matching.masks.find(&item); own != matching.masks.end()) masks = {own->second[0]->file};
      add_draft(item, std::move(masks), matching.masks.empty() ? alone : "beside", by_channel);
    }
  }

  void refuse_unused_masks() {
    const auto& drafts = sorting_.drafts;
    const bool labelled = std::any_of(drafts.begin(), drafts.end(), [](const Draft& d) { return !d.masks.empty(); });
    if (!unused_.empty() && !labelled) {
      const std::string& mask = unused_.front()->shown;
      if (drafts.empty())
        throw Error(ExitCode::data,
                    fmt::format("{}: is taken for a mask by its folder's name, and there is no image; if "
                                "it is an image, say so with unzip's `images`, for example images = "
                                "\"{}/{{id}}.*\"",
                                mask, printable_name(folder_name(unused_.front()->path))));
      throw Error(
          ExitCode::data,
          fmt::format("{}: is a mask without an image of the same name, as are all {} masks ({} is the first of {} "
                      "images): say how they belong together with unzip's `images` and `masks`, for example "
                      "images = \"raw/{{id}}.tif\", masks = \"gt/{{id}}_*.png\"",
                      mask, unused_.size(), drafts.front().image.shown, drafts.size()));
    }
    for (const NamedFile* mask : unused_) sorting_.left_over.emplace_back(*mask, "a mask without an image of its name");
  }

  std::map<std::string, Place> places_;
  std::map<std::string, Items> loose_;  // by folder
  std::vector<const NamedFile*> unused_;
  Sorting sorting_;
};

}  // namespace

Sorting sort_by_names(const std::vector<NamedFile>& files) { return Sorter().sort(files); }

}  // namespace penstock::stages
