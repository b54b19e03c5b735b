// Real zip archives and PNG files for tests.
#pragma once

#include <zip.h>

#include <filesystem>
#include <map>
#include <string>

#include "stages/images/png_codec.h"

namespace penstock::stages {

inline std::string grey_png(int width, int height, uint8_t value) {
  return encode_png({width, height, 1, 8, std::vector<uint8_t>(static_cast<size_t>(width) * height, value)});
}

inline void write_zip(const std::filesystem::path& path, const std::map<std::string, std::string>& files) {
  int problem = 0;
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &problem);
  for (const auto& [name, bytes] : files) {
    if (name.ends_with('/')) {
      zip_dir_add(zip, name.c_str(), ZIP_FL_ENC_UTF_8);
    } else {
      zip_file_add(zip, name.c_str(), zip_source_buffer(zip, bytes.data(), bytes.size(), 0), ZIP_FL_ENC_UTF_8);
    }
  }
  zip_close(zip);
}

}  // namespace penstock::stages
