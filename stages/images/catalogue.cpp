#include "stages/images/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "distributed/error.h"
#include "distributed/printable.h"
#include "stages/images/file_kind.h"
#include "stages/images/image_codec.h"

namespace penstock::stages {
namespace {

std::string folder_of(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

std::string stem_of(const std::string& name) {
  const std::string file = file_name(name);
  return file.substr(0, file.rfind('.'));
}

// What file managers and Kaggle's packing leave behind.
std::optional<std::string> reason_to_ignore(const std::string& name) {
  const std::string file = file_name(name);
  if (name.starts_with("__MACOSX/") || name.find("/__MACOSX/") != std::string::npos) return "macOS metadata";
  if (file.starts_with('.')) return "hidden file";
  if (file == "Thumbs.db" || file == "desktop.ini") return "file manager's";
  for (const char* folder : {".git/", ".dvc/", ".datalad/"}) {  // git-annex and DVC keep what links lead to in them
    if (name.starts_with(folder) || name.find(std::string("/") + folder) != std::string::npos)
      return "version control's";
  }
  return std::nullopt;
}

// The files of one place that can hold samples: archive and folder above "images" and "masks".
struct Place {
  std::vector<FileReference> images;
  std::vector<FileReference> masks;
};

class Sorter {
 public:
  explicit Sorter(const std::vector<std::unique_ptr<Archive>>& archives) : archives_(archives) {}

  Catalogue sort() {
    for (size_t archive = 0; archive < archives_.size(); ++archive) {
      for (size_t entry = 0; entry < archives_[archive]->entries().size(); ++entry) place({archive, entry});
    }
    for (const auto& [where, files] : places_) {
      const std::string folder = file_name(where.second);
      if (files.images.size() == 1 && !folder.empty())
        add_folder(folder, files);
      else
        add_pairs(files);
    }
    for (const FileReference& file : loose_) add({stem_of(at(file).name), file, {}});
    if (catalogue_.samples.empty())
      throw Error(ExitCode::data,
                  names() + ": holds no image in a known layout (see `penstock stages unzip`)" + content());
    std::sort(catalogue_.samples.begin(), catalogue_.samples.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::move(catalogue_);
  }

 private:
  const ArchiveEntry& at(const FileReference& file) const { return archives_[file.archive]->entries()[file.entry]; }

  std::string names() const {
    const auto& entries = archives_.front()->entries();
    return entries.empty() ? "the archive" : entries.front().shown.substr(0, entries.front().shown.find_first_of(":/"));
  }

  // What is there instead of images: "; it holds a.tar.gz, a file compressed with gzip (.tar.gz, .gz): unpack it ...".
  std::string content() const {
    if (!other_) return "";
    const std::string name = distributed::printable_name(at(*other_).name);
    const FileKind kind = kind_of(archives_[other_->archive]->begin(other_->entry), name);
    const std::string remedy =
        kind.is_readable_image ? "end its name in .png, .jpg or .tif, by which images are found" : kind.remedy;
    return fmt::format("; it holds {}, {}{}{}", name, kind.what, remedy.empty() ? "" : ": ", remedy);
  }

  void place(const FileReference& file) {
    const std::string& name = at(file).name;
    if (const auto reason = reason_to_ignore(name)) return ignore(file, *reason);
    const std::string folder = folder_of(name);
    const std::string kind = file_name(folder);
    const bool image = looks_like_image_name(name);
    if (image && !distributed::is_utf8(name)) {
      throw Error(ExitCode::data, at(file).shown +
                                      ": its name is not UTF-8, and names of samples must be: rename it, "
                                      "for example with `convmv -f latin1 -t utf8 -r --notest FOLDER`");
    }
    if (kind == "masks") {
      if (!image) throw Error(ExitCode::data, at(file).shown + ": is among the masks, but not an image");
      places_[{file.archive, folder_of(folder)}].masks.push_back(file);
    } else if (!image) {
      if (!other_ && !name.ends_with(".zip")) other_ = file;
      ignore(file, name.ends_with(".zip") ? "opened as an archive" : "not an image");
    } else if (kind == "images") {
      places_[{file.archive, folder_of(folder)}].images.push_back(file);
    } else {
      loose_.push_back(file);
    }
  }

  void ignore(const FileReference& file, const std::string& reason) {
    catalogue_.ignored.emplace_back(at(file).shown, reason);
  }

  void add_folder(const std::string& id, const Place& files) {
    CataloguedSample sample{id, files.images.front(), files.masks};
    std::sort(sample.masks.begin(), sample.masks.end(),
              [this](const FileReference& a, const FileReference& b) { return at(a).name < at(b).name; });
    add(std::move(sample));
  }

  void add_pairs(const Place& files) {
    std::map<std::string, std::vector<FileReference>> masks;
    for (const FileReference& mask : files.masks) masks[stem_of(at(mask).name)].push_back(mask);
    for (const FileReference& image : files.images) {
      const std::string id = stem_of(at(image).name);
      const auto own = masks.extract(id);
      add({id, image, own.empty() ? std::vector<FileReference>() : own.mapped()});
    }
    if (!masks.empty())
      throw Error(ExitCode::data,
                  at(masks.begin()->second.front()).shown + ": is a mask without an image of the same name");
  }

  void add(CataloguedSample sample) {
    const auto [first, fresh] = seen_.emplace(sample.id, sample.image);
    if (!fresh) {
      throw Error(ExitCode::data,
                  fmt::format("two samples have the id '{}': {} and {}; {}", distributed::printable_name(sample.id),
                              at(first->second).shown, at(sample.image).shown, cause_of(first->second, sample.image)));
    }
    catalogue_.samples.push_back(std::move(sample));
  }

  // Why two files give one id, and what to do.
  std::string cause_of(const FileReference& first, const FileReference& second) const {
    for (const FileReference& file : {first, second}) {
      const std::string name = distributed::printable_name(at(file).name);  // as `shown` ends
      const std::string above = at(file).shown.substr(0, at(file).shown.size() - name.size());
      if (const auto folder = earlier_output(file)) {
        return fmt::format(
            "{} holds the output of an earlier predict: move it elsewhere, or give the images' folder alone",
            above + distributed::printable_name(*folder));
      }
      if (const size_t cache = ("/" + name).find("/.penstock/"); cache != std::string::npos) {
        return fmt::format("{}.penstock is a pipeline's cache: give the images' folder alone",
                           above + name.substr(0, cache));
      }
    }
    if (first.archive != second.archive && at(first).shown == at(second).shown)
      return "the same file in two of the inputs: give each input once; of two folders of one name rename an image";
    return "a sample's id is its image's name without the ending, in <id>/images/ its folder's: rename one of them, or "
           "give the folders one at a time";
  }

  // The folder that write_prediction filled and this image lies in, "" for the input itself: out/labels/x.png beside
  // out/submission.csv.
  std::optional<std::string> earlier_output(const FileReference& file) const {
    const std::string part = folder_of(at(file).name);
    static const std::set<std::string> parts = {"labels", "probability", "overlays"};
    if (parts.count(file_name(part)) == 0) return std::nullopt;
    const std::string folder = folder_of(part);
    const std::string table = (folder.empty() ? "" : folder + "/") + "submission.csv";
    const auto& entries = archives_[file.archive]->entries();
    const bool found =
        std::any_of(entries.begin(), entries.end(), [&](const ArchiveEntry& entry) { return entry.name == table; });
    return found ? std::optional(folder) : std::nullopt;
  }

  const std::vector<std::unique_ptr<Archive>>& archives_;
  std::map<std::pair<size_t, std::string>, Place> places_;
  std::vector<FileReference> loose_;
  std::optional<FileReference> other_;  // the first that is no image
  std::map<std::string, FileReference> seen_;
  Catalogue catalogue_;
};

}  // namespace

std::string file_name(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

Catalogue make_catalogue(const std::vector<std::unique_ptr<Archive>>& archives) { return Sorter(archives).sort(); }

}  // namespace penstock::stages
