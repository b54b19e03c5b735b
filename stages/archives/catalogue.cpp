#include "stages/archives/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "pipeline/counted.h"
#include "stages/archives/layout_names.h"
#include "stages/archives/layouts.h"
#include "stages/archives/pattern_layout.h"
#include "stages/images/file_kind.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

using distributed::printable_name;

constexpr size_t shown_left_over = 3;

class Cataloguer {
 public:
  Cataloguer(const std::vector<std::unique_ptr<Archive>>& archives, const LayoutPatterns& patterns, SameStem same_stem)
      : archives_(archives), patterns_(patterns), same_stem_(same_stem) {}

  Catalogue make() {
    std::vector<NamedFile> files = whole_files();
    refuse_other_outputs(files);
    refuse_equal_paths(files);
    std::erase_if(files, [this](const NamedFile& file) {
      if (!cache_of(file)) return false;
      ignore(file, "in a pipeline's cache");
      return true;
    });
    const bool own = !patterns_.images.empty() || !patterns_.masks.empty();
    Sorting sorting = own && !files.empty() ? sort_by_patterns(files, patterns_) : sort_by_names(files);
    if (sorting.drafts.empty())
      throw Error(ExitCode::data,
                  names() + ": holds no image in a known layout (see `penstock stages unzip`)" + content());
    for (const auto& [file, reason] : sorting.ignored) ignore(file, reason);
    for (const auto& [file, reason] : sorting.left_over) catalogue_.left_over.emplace_back(file.shown, reason);
    name(sorting.drafts);
    if (same_stem_ == SameStem::keeps_ending) keep_endings(sorting.drafts);
    refuse_equal_ids(sorting.drafts);
    count(sorting.drafts);
    for (Draft& draft : sorting.drafts) add(draft);
    const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
    std::sort(catalogue_.samples.begin(), catalogue_.samples.end(), by_id);
    std::sort(catalogue_.left_over.begin(), catalogue_.left_over.end());
    return std::move(catalogue_);
  }

 private:
  const ArchiveEntry& at(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }

  void ignore(const NamedFile& file, const std::string& reason) { catalogue_.ignored.emplace_back(file.shown, reason); }

  // All but what is no part of a data set.
  std::vector<NamedFile> whole_files() {
    std::vector<NamedFile> files;
    for (size_t archive = 0; archive < archives_.size(); ++archive) {
      for (size_t entry = 0; entry < archives_[archive]->entries().size(); ++entry) {
        const ArchiveEntry& about = at({archive, entry});
        NamedFile file{{archive, entry},
                       about.place.empty() ? about.name : about.place,
                       about.shown,
                       looks_like_image_name(about.name)};
        if (const auto reason = reason_to_ignore(file.path)) {
          ignore(file, *reason);
          continue;
        }
        if (file.image && !distributed::is_utf8(file.path)) {
          throw Error(ExitCode::data, about.shown +
                                          ": its name is not UTF-8, and names of samples must be: rename it, "
                                          "for example with `convmv -f latin1 -t utf8 -r --notest FOLDER`");
        }
        if (!file.image && !other_ && !about.name.ends_with(".zip")) other_ = file.file;
        files.push_back(std::move(file));
      }
    }
    return files;
  }

  std::string names() const {
    for (const auto& archive : archives_) {
      if (archive->entries().empty()) continue;
      const std::string& shown = archive->entries().front().shown;
      return shown.substr(0, shown.find_first_of(":/"));
    }
    return "the archive";
  }

  // What is there instead of images: "; it holds a.tar.gz, a file compressed with gzip (.tar.gz, .gz): unpack it ...".
  std::string content() const {
    if (!other_) return "";
    const std::string name = printable_name(at(*other_).name);
    const FileKind kind = kind_of(archives_[other_->archive]->begin(other_->entry), name);
    const std::string remedy =
        kind.is_readable_image ? "end its name in .png, .jpg or .tif, by which images are found" : kind.remedy;
    return fmt::format("; it holds {}, {}{}{}", name, kind.what, remedy.empty() ? "" : ": ", remedy);
  }

  [[noreturn]] void refuse_two(const std::string& id, const FileReference& first, const FileReference& second,
                               const std::string& cause) const {
    throw Error(ExitCode::data, fmt::format("two samples have the id '{}': {} and {}; {}", printable_name(id),
                                            at(first).shown, at(second).shown, cause));
  }

  // Images beside an earlier output or a cache with images of the same names: never meant.
  void refuse_other_outputs(const std::vector<NamedFile>& files) const {
    std::map<std::string, const NamedFile*> seen;
    for (const NamedFile& file : files) {
      if (!file.image) continue;
      const auto [first, fresh] = seen.emplace(stem_name(file.path), &file);
      if (fresh) continue;
      for (const NamedFile* one : {first->second, &file}) {
        if (const auto cause = cause_of(*one)) refuse_two(first->first, first->second->file, file.file, *cause);
      }
    }
  }

  // One input given twice, or one name twice in an archive.
  void refuse_equal_paths(const std::vector<NamedFile>& files) const {
    std::map<std::string, const NamedFile*> seen;
    for (const NamedFile& file : files) {
      if (!file.image) continue;
      const auto [first, fresh] = seen.emplace(file.path, &file);
      if (!fresh) refuse_two(stem_name(file.path), first->second->file, file.file, remedy(*first->second, file));
    }
  }

  std::optional<std::string> cause_of(const NamedFile& file) const {
    const std::string name = printable_name(at(file.file).name);  // as `shown` ends
    const std::string above = file.shown.substr(0, file.shown.size() - name.size());
    if (const auto folder = earlier_output(file.file)) {
      return fmt::format(
          "{} holds the output of an earlier predict: move it elsewhere, or give the images' folder alone",
          above + printable_name(*folder));
    }
    if (const auto cache = cache_of(file))
      return fmt::format("{}.penstock is a pipeline's cache: give the images' folder alone", above + *cache);
    return std::nullopt;
  }

  // What stands before ".penstock/" in the name.
  std::optional<std::string> cache_of(const NamedFile& file) const {
    const std::string name = printable_name(at(file.file).name);
    const size_t cache = ("/" + name).find("/.penstock/");
    return cache == std::string::npos ? std::nullopt : std::optional(name.substr(0, cache));
  }

  // The folder that write_prediction filled and this image lies in, "" for the input itself: out/labels/x.png beside
  // out/submission.csv.
  std::optional<std::string> earlier_output(const FileReference& file) const {
    const std::string part = folder_name(at(file).name);
    static const std::set<std::string> parts = {"labels", "probability", "overlays"};
    if (parts.count(file_name(part)) == 0) return std::nullopt;
    const std::string folder = folder_name(part);
    const std::string table = (folder.empty() ? "" : folder + "/") + "submission.csv";
    const auto& entries = archives_[file.archive]->entries();
    const bool found =
        std::any_of(entries.begin(), entries.end(), [&](const ArchiveEntry& entry) { return entry.name == table; });
    return found ? std::optional(folder) : std::nullopt;
  }

  // Ids that more than one draft has get the folders before them, without those in which all drafts lie.
  void name(std::vector<Draft>& drafts) const {
    std::map<std::string, std::vector<Draft*>> by_id;
    for (Draft& draft : drafts) by_id[draft.id].push_back(&draft);
    size_t common = drafts.front().above.size();
    for (const Draft& draft : drafts) {
      const auto& a = draft.above;
      const auto& b = drafts.front().above;
      const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
      common = std::min(common, static_cast<size_t>(end - a.begin()));
    }
    for (const auto& [id, equal] : by_id) {
      if (equal.size() < 2) continue;
      for (Draft* draft : equal) {
        if (draft->layout == dsb2018_layout) continue;  // its folder's name is the id that people know
        for (size_t i = draft->above.size(); i-- > common;) draft->id = draft->above[i] + "__" + draft->id;
      }
    }
  }

  static std::string ending_of(const Draft& draft) {
    const std::string file = file_name(draft.image.path);
    return file.substr(file.rfind('.'));
  }

  // Of those that still have one id, where the endings tell them apart: "1.png" and "1.tif" instead of "1" and "1".
  void keep_endings(std::vector<Draft>& drafts) {
    std::map<std::string, std::vector<Draft*>> by_id;
    for (Draft& draft : drafts) by_id[draft.id].push_back(&draft);
    for (const auto& [id, equal] : by_id) {
      std::set<std::string> endings;
      for (const Draft* draft : equal) endings.insert(ending_of(*draft));
      if (equal.size() < 2 || endings.size() < equal.size()) continue;
      for (Draft* draft : equal) catalogue_.with_ending.push_back(draft->id += ending_of(*draft));
    }
    std::sort(catalogue_.with_ending.begin(), catalogue_.with_ending.end());
  }

  void refuse_equal_ids(const std::vector<Draft>& drafts) const {
    std::map<std::string, const Draft*> seen;
    for (const Draft& draft : drafts) {
      const auto [first, fresh] = seen.emplace(draft.id, &draft);
      if (!fresh)
        refuse_two(draft.id, first->second->image.file, draft.image.file, remedy(first->second->image, draft.image));
    }
  }

  static std::string remedy(const NamedFile& first, const NamedFile& second) {
    if (first.shown == second.shown) {
      return first.file.archive == second.file.archive
                 ? "the archive holds two files under one name: pack it again"
                 : "the same file in two of the inputs: give each input once; of two folders of one name rename an "
                   "image";
    }
    return "a sample's id is its image's name without the ending, in <id>/images/ its folder's: rename one of them, or "
           "give the folders one at a time";
  }

  void count(const std::vector<Draft>& drafts) {
    std::map<std::string, LayoutCount> counts;
    for (const Draft& draft : drafts) {
      LayoutCount& count = counts[draft.layout];
      count.layout = draft.layout;
      ++count.samples;
      count.labelled += !draft.masks.empty();
    }
    for (auto& [name, count] : counts) catalogue_.layouts.push_back(std::move(count));
  }

  void add(Draft& draft) {
    std::sort(draft.masks.begin(), draft.masks.end(),
              [this](const NamedFile& a, const NamedFile& b) { return at(a.file).name < at(b.file).name; });
    CataloguedSample sample{std::move(draft.id), draft.image.file, {}, std::move(draft.subset)};
    std::map<std::string, const NamedFile*> names;
    for (const NamedFile& mask : draft.masks) {
      sample.masks.push_back(mask.file);
      const auto [first, fresh] = names.emplace(file_name(mask.path), &mask);
      if (fresh) continue;
      throw Error(ExitCode::data, fmt::format("{} has two masks of one file name, {} and {}: rename one of them",
                                              draft.image.shown, first->second->shown, mask.shown));
    }
    catalogue_.samples.push_back(std::move(sample));
  }

  const std::vector<std::unique_ptr<Archive>>& archives_;
  const LayoutPatterns& patterns_;
  SameStem same_stem_;
  std::optional<FileReference> other_;  // the first that is no image
  Catalogue catalogue_;
};

}  // namespace

std::string Catalogue::described() const {
  size_t labelled = 0;
  std::vector<std::string> parts;
  for (const LayoutCount& one : layouts) {
    labelled += one.labelled;
    parts.push_back(layouts.size() == 1 ? one.layout : fmt::format("{} ({})", one.layout, one.samples));
  }
  const std::string without = labelled > 0 && labelled < samples.size()
                                  ? fmt::format(", {} without a mask", samples.size() - labelled)
                                  : std::string();
  return fmt::format("layout {}: {}, {} with masks{}", fmt::join(parts, " and "),
                     pipeline::counted(static_cast<int64_t>(samples.size()), "image"), labelled, without);
}

std::string Catalogue::left_over_described() const {
  if (left_over.empty()) return "";
  std::string text = pipeline::counted(static_cast<int64_t>(left_over.size()), "file") + " left over: ";
  for (size_t i = 0; i < std::min(shown_left_over, left_over.size()); ++i)
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", left_over[i].first, left_over[i].second);
  if (left_over.size() > shown_left_over) text += fmt::format(" and {} more", left_over.size() - shown_left_over);
  return text;
}

Catalogue make_catalogue(const std::vector<std::unique_ptr<Archive>>& archives, const LayoutPatterns& patterns,
                         SameStem same_stem) {
  return Cataloguer(archives, patterns, same_stem).make();
}

}  // namespace penstock::stages
