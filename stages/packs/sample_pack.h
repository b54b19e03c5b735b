// The names of the arrays in packs of samples (FORMATS.md), for those who write them and those who read them.
#pragma once

#include <string>

namespace penstock::stages {

// In a sample's record (samples.json) and in the data set's (samples.json, index.json): 16 where a value has 16 bits;
// absent: 8. A data set has as many as its sample with most.
inline constexpr const char* sample_bits = "sample_bits";

namespace pack_entry {

// Kind "images" (unzip): the bytes of a sample's files, as they were.
inline std::string image_file(const std::string& id, const std::string& file) { return id + "/images/" + file; }
inline std::string mask_files(const std::string& id) { return id + "/masks/"; }  // what the names of all begin with
inline std::string mask_file(const std::string& id, const std::string& file) { return mask_files(id) + file; }

// Kinds "samples" (resize) and "report" (eval): the image on the training grid, u8 [height, width, channels]; u16 of a
// sample of 16 bits, in kind "samples".
inline std::string image(const std::string& id) { return id + "/image"; }
// Kind "samples", where labelled: the mask on the grid, u8 [height, width] of 0 and 1.
inline std::string mask(const std::string& id) { return id + "/mask"; }
// Kind "samples", where labelled: the native label map, u8 [bytes] (label_codec.h).
inline std::string labels(const std::string& id) { return id + "/labels"; }
// Kind "report", where labelled: the mask on the grid, as above.
inline std::string truth(const std::string& id) { return id + "/truth"; }
// Kind "report": the predicted probability on the grid, u8 [height, width], 255 for 1.
inline std::string probability(const std::string& id) { return id + "/probability"; }

}  // namespace pack_entry
}  // namespace penstock::stages
