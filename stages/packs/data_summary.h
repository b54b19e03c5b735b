// What inspect says of a whole data set, from one row of each image. Pure: no files, and the same rows give the same
// text.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipeline/value.h"

namespace penstock::stages {

// What inspect found in one image.
struct ImageRow {
  pipeline::Value metadata;                       // an object: the columns of metadata.json (FORMATS.md)
  std::array<std::vector<int64_t>, 3> histogram;  // pixels of each value, of red, green and blue
  std::vector<int64_t> areas;                     // of its objects, native pixels
  std::vector<std::string> problems;              // each refuses the data
  std::vector<std::string> warnings;
  pipeline::Value measurements;  // of the audit, as audit/ writes and reads them; may be null

  std::string id() const { return metadata.at("id"); }
};

// A row as it lies between the two passes of inspect, and back.
pipeline::Value to_json(const ImageRow& row);
ImageRow image_row_from(const pipeline::Value& json);

// The middle value, or the larger of the two in the middle; 0 of none.
int64_t median_of(std::vector<int64_t> values);

// summary.json. `grid` is the JSON of resize's samples: its width and height, or mode and scale, and its channels are
// shown, and what masks mean.
pipeline::Value summary_of(const std::vector<ImageRow>& rows, const pipeline::Value& grid);

// verdict.json: passed when no row has a problem, and masks do not cover over 90 % of most labelled images.
pipeline::Value verdict_on(const std::vector<ImageRow>& rows);

// The visual type of each image of a metadata.json, by id.
std::map<std::string, std::string> looks_of(const pipeline::Value& metadata);

// metadata.json and metadata.csv: one row of each image.
pipeline::Value metadata_json(const std::vector<ImageRow>& rows);
std::string metadata_csv(const std::vector<ImageRow>& rows);

}  // namespace penstock::stages
