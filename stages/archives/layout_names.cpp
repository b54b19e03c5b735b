#include "stages/archives/layout_names.h"

#include <utf8proc.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace penstock::stages {
namespace {

struct NamedFolder {
  std::string_view name;
  FolderMeaning meaning;
};
constexpr NamedFolder folders[] = {
    {"images", {Role::image, "", false}},      {"imgs", {Role::image, "", false}},
    {"img", {Role::image, "", false}},         {"image", {Role::image, "", false}},
    {"raw", {Role::image, "", false}},         {"input", {Role::image, "", false}},
    {"inputs", {Role::image, "", false}},      {"imagestr", {Role::image, "train", true}},
    {"imagests", {Role::image, "test", true}}, {"masks", {Role::mask, "", false}},
    {"mask", {Role::mask, "", false}},         {"labels", {Role::mask, "", false}},
    {"label", {Role::mask, "", false}},        {"gt", {Role::mask, "", false}},
    {"ground_truth", {Role::mask, "", false}}, {"groundtruth", {Role::mask, "", false}},
    {"annotations", {Role::mask, "", false}},  {"annotation", {Role::mask, "", false}},
    {"seg", {Role::mask, "", false}},          {"labelstr", {Role::mask, "train", false}},
    {"labelsts", {Role::mask, "test", false}},
};

struct NamedSubset {
  std::string_view name, subset;
};
constexpr NamedSubset subsets[] = {{"train", "train"},      {"training", "train"},        {"val", "validation"},
                                   {"valid", "validation"}, {"validation", "validation"}, {"test", "test"},
                                   {"testing", "test"}};

// In lower case, as names are compared.
constexpr std::string_view mask_suffixes[] = {"_cp_masks", "_masks", "_mask", "_labels", "_label", "_seg", "_gt"};
constexpr std::string_view companion_suffixes[] = {"_cp_flows",    "_flows",    "_flow",       "_cp_outlines",
                                                   "_outlines",    "_outline",  "_cp_overlay", "_cp_output",
                                                   "_cp_cellprob", "_cellprob", "_dp",         "_styles"};

struct Junk {
  std::string_view folder;  // in lower case
  std::string_view reason;
};
constexpr Junk junk_folders[] = {
    {"__macosx", "macOS metadata"},
    {".appledouble", "macOS metadata"},
    {"@eadir", "thumbnails of a NAS"},
    {"#recycle", "a recycle bin"},
    {"$recycle.bin", "a recycle bin"},
    {"recycler", "a recycle bin"},
    {"system volume information", "Windows metadata"},
    {"lost+found", "a file system's"},
    {".ipynb_checkpoints", "copies of a notebook"},
    {".git", "version control's"},
    {".dvc", "version control's"},
    {".datalad", "version control's"},
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

const FolderMeaning* find_folder(std::string_view name) {
  const auto found =
      std::find_if(std::begin(folders), std::end(folders), [name](const auto& row) { return row.name == name; });
  return found == std::end(folders) ? nullptr : &found->meaning;
}

template <size_t count>
std::optional<std::string> without_one_of(const std::string_view (&suffixes)[count], std::string_view stem) {
  const std::string small = lower(stem);
  for (const std::string_view suffix : suffixes) {
    if (small.size() > suffix.size() && small.ends_with(suffix))
      return std::string(stem.substr(0, stem.size() - suffix.size()));
  }
  return std::nullopt;
}

}  // namespace

FolderMeaning meaning_of_folder(std::string_view name) {
  const std::string small = lower(name);
  if (const FolderMeaning* meaning = find_folder(small)) return *meaning;
  for (const auto& [subset, meant] : subsets) {
    for (const char separator : {'_', '-'}) {
      const std::string before = std::string(subset) + separator, after = separator + std::string(subset);
      std::string_view rest = small;
      if (rest.starts_with(before))
        rest.remove_prefix(before.size());
      else if (rest.ends_with(after))
        rest.remove_suffix(after.size());
      else
        continue;
      if (const FolderMeaning* meaning = find_folder(rest)) return {meaning->role, meant, meaning->channel_files};
    }
  }
  return {};
}

std::string_view subset_named(std::string_view folder) {
  const std::string small = lower(folder);
  for (const auto& [name, subset] : subsets) {
    if (small == name) return subset;
  }
  return "";
}

std::optional<std::string> reason_to_ignore(std::string_view path) {
  const auto parts = parts_of(path);
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string small = lower(parts[i]);
    for (const auto& [folder, reason] : junk_folders) {
      if (small == folder) return std::string(reason);
    }
    if (parts[i].starts_with(".Trash")) return "a recycle bin";
  }
  const std::string& file = parts.back();
  if (file.starts_with('.')) return "hidden file";
  const std::string small = lower(file);
  if (small.starts_with("thumbs.db") || small == "desktop.ini" || file == "Icon\r") return "file manager's";
  return std::nullopt;
}

std::string name_key(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; })) return std::string(text);
  utf8proc_uint8_t* composed = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &composed, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  std::string key = length < 0 ? std::string(text) : std::string(reinterpret_cast<char*>(composed), length);
  std::free(composed);
  return key;
}

std::optional<std::string> without_mask_suffix(std::string_view stem) { return without_one_of(mask_suffixes, stem); }

std::optional<std::string> without_companion_suffix(std::string_view stem) {
  return without_one_of(companion_suffixes, stem);
}

std::optional<std::string> without_channel_number(std::string_view stem) {
  constexpr size_t digits = 4;
  if (stem.size() < digits + 2 || stem[stem.size() - digits - 1] != '_') return std::nullopt;
  const std::string_view number = stem.substr(stem.size() - digits);
  if (!std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c); })) return std::nullopt;
  return std::string(stem.substr(0, stem.size() - digits - 1));
}

std::string names_of_folders(Role role) {
  std::string names;
  for (const auto& [name, meaning] : folders) {
    if (meaning.role == role) names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return names;
}

std::string file_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string folder_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::string stem_name(std::string_view path) {
  const std::string file = file_name(path);
  return file.substr(0, file.rfind('.'));
}

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace penstock::stages
