// What the names of files and folders say: which folder holds images or masks, which subset, which file is a mask of
// which, and what is no part of a data set. Tables, one row a name. Pure; any thread may call.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

enum class Role { none, image, mask };

struct FolderMeaning {
  Role role = Role::none;
  std::string_view subset;     // "train", "validation", "test", or "" where the name says none
  bool channel_files = false;  // nnU-Net's: <id>_0000.png is the first channel of <id>
};

// "Images": image; "labelsTr": mask, train; "train_masks": mask, train. In any case.
FolderMeaning meaning_of_folder(std::string_view name);

// "train", "validation", "test" for train, training, val, valid, validation, test, testing, in any case; else "".
std::string_view subset_named(std::string_view folder);

// Why a file is no part of a data set (what desktops, NAS, notebooks and version control leave behind); nullopt: it is.
std::optional<std::string> reason_to_ignore(std::string_view path);

// For comparing names: Unicode normalisation form C, so that "é" of macOS is "é" of Linux. Text that is not UTF-8 is
// returned as it is.
std::string name_key(std::string_view text);

// "x_mask" -> "x"; nullopt where no suffix of a mask ends the stem, or nothing stands before it. The longest suffix
// goes.
std::optional<std::string> without_mask_suffix(std::string_view stem);
// "x_flows" -> "x": what Cellpose writes beside an image and is neither image nor mask.
std::optional<std::string> without_companion_suffix(std::string_view stem);
// "n_000_0001" -> "n_000": nnU-Net's number of the channel.
std::optional<std::string> without_channel_number(std::string_view stem);

// The names that the tables know, for messages and help: "images, imgs, ...".
std::string names_of_folders(Role role);

std::string file_name(std::string_view path);    // the last part of a '/'-separated path
std::string folder_name(std::string_view path);  // all before it, "" at the top
std::string stem_name(std::string_view path);    // the last part without its ending
std::vector<std::string> parts_of(std::string_view path);

}  // namespace penstock::stages
