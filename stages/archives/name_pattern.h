// Patterns of file names with the place of a sample's id: "raw/{id}.tif", "gt/{id}_*.png". Immutable.
//   {id}  one or more characters but '/'; where it stands twice, both are the same
//   *     any characters but '/'      **  any characters      ?  one character but '/'
// A pattern fits a whole path or its end, from a part's beginning on: "raw/{id}.tif" fits "plate1/raw/a.tif".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::stages {

class NamePattern {
 public:
  // Throws std::invalid_argument where `{id}` is missing. Text is compared in Unicode form C.
  explicit NamePattern(std::string_view text);

  // One way in which the pattern fits a path: the id, and the folder above the pattern ("plate1", or "").
  struct Fit {
    std::string above;
    std::string id;
  };
  // Every way, those that begin nearest the top first, then the longest id first. Empty: it does not fit.
  std::vector<Fit> fits(std::string_view path) const;

 private:
  std::string text_;
};

}  // namespace penstock::stages
