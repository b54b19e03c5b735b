// The known layouts: files become drafts of samples by their names. Used by catalogue.cpp, which gives the drafts their
// ids. Pure; throws Error(data) as catalogue.h says.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "stages/archives/catalogue.h"

namespace penstock::stages {

struct NamedFile {
  FileReference file;
  std::string path;   // in its input (ArchiveEntry::place)
  std::string shown;  // for messages
  bool image = true;  // by its ending
};

struct Draft {
  std::string id;                  // unless another has the same
  std::vector<std::string> above;  // the folders that it lies in, without those that only say "images"
  std::string subset;
  NamedFile image;
  std::vector<NamedFile> masks;
  std::string layout;
};

struct Sorting {
  std::vector<Draft> drafts;
  std::vector<std::pair<NamedFile, std::string>> left_over;
  std::vector<std::pair<NamedFile, std::string>> ignored;
};

inline constexpr const char* dsb2018_layout = "dsb2018";

// By the names that are known.
Sorting sort_by_names(const std::vector<NamedFile>& files);

}  // namespace penstock::stages
