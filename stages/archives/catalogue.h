// Which files of an archive make up which sample. Pure: it looks at names only, compared in Unicode form C.
//
// Known layouts, below any wrapping folders (layout_names.h has every name and suffix; archives in archives count as
// folders):
//   dsb2018   <id>/images/<file>, <id>/masks/<any>     one image a folder, one mask file a nucleus
//   folders   images/<id>.png, masks/<id>_mask.png     pairs by stem in two folders that stand side by side,
//   sub-folders
//             images/p1/<id>.png, masks/p1/<id>.png    inside them kept; masks/<id>/<any>: one mask file an object
//   beside    <id>.png, <id>_mask.png                  image and mask in one folder
//   patterns  images = "raw/{id}.tif", masks = "gt/{id}_*.png" (name_pattern.h)
//   images    <id>.png                                 images alone
// A sample's id is its image's stem (dsb2018: the folder's name). Where two would be equal, the folders that they lie
// in stand before it, with "__" between: "plate1__im_00".
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stages/archives/archive.h"

namespace penstock::stages {

struct FileReference {
  size_t archive = 0;
  size_t entry = 0;
};

struct CataloguedSample {
  std::string id;
  FileReference image;
  std::vector<FileReference> masks;  // sorted by file name
  std::string subset = {};           // "train", "validation", "test" where a folder says so, else ""
};

// What was found in one layout.
struct LayoutCount {
  std::string layout;
  size_t samples = 0;
  size_t labelled = 0;
};

struct Catalogue {
  std::vector<CataloguedSample> samples;                     // sorted by id
  std::vector<std::pair<std::string, std::string>> ignored;  // (entry, reason): no part of a data set
  std::vector<std::pair<std::string, std::string>>
      left_over;                         // (entry, reason): images and masks that are in no sample
  std::vector<LayoutCount> layouts;      // sorted by name
  std::vector<std::string> with_ending;  // sorted ids that keep their image's ending (SameStem::keeps_ending)

  // "24 images, 23 with masks: 23 of 24 by folders"; of what is left over the count, the first few and why, or "".
  std::string described() const;
  std::string left_over_described() const;
};

// The user's own; "" stands for the names that are known. With `images` alone, no image has a mask.
struct LayoutPatterns {
  std::string images;
  std::string masks;
};

// What images of one folder are that differ in their endings alone: one saved twice, or several.
enum class SameStem { refused, keeps_ending };

// Throws Error(data): two samples of one id (both named, with the cause), two readings that fit equally well (both
// named, and the pattern to give), masks of which none fits an image, a file among the masks of dsb2018 that is not an
// image, nnU-Net's channels in several files, an image or a mask whose name is not UTF-8, no image at all.
Catalogue make_catalogue(const std::vector<std::unique_ptr<Archive>>& archives, const LayoutPatterns& patterns = {},
                         SameStem same_stem = SameStem::refused);

}  // namespace penstock::stages
