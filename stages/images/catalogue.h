// Which files of an archive make up which sample. Pure: it looks at names only.
//
// Known layouts, below any wrapping folders:
//   <id>/images/<file>, <id>/masks/<any>          the Data Science Bowl's: one image a folder, one mask file a nucleus
//   images/<id>.<ext>, masks/<id>.<ext>           pairs of files of the same stem
//   <id>.<ext>                                    images alone
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stages/images/archive.h"

namespace penstock::stages {

struct FileReference {
  size_t archive = 0;
  size_t entry = 0;
};

struct CataloguedSample {
  std::string id;
  FileReference image;
  std::vector<FileReference> masks;  // sorted by file name
};

struct Catalogue {
  std::vector<CataloguedSample> samples;                     // sorted by id
  std::vector<std::pair<std::string, std::string>> ignored;  // (entry, reason)
};

// Throws Error(data): two samples of one id (both named, with the cause), a mask without an image, a file among the
// masks that is not an image, an image or a mask whose name is not UTF-8, no image at all.
Catalogue make_catalogue(const std::vector<std::unique_ptr<Archive>>& archives);

// The last part of a '/'-separated name.
std::string file_name(const std::string& name);

}  // namespace penstock::stages
