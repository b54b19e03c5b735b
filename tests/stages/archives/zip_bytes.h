// Zip archives made byte by byte, so that each field may lie.
#pragma once

#include <libdeflate.h>

#include <memory>
#include <string>
#include <vector>

namespace penstock::stages {

inline std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

inline std::string deflated(const std::string& content) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(9), libdeflate_free_compressor);
  std::string packed(libdeflate_deflate_compress_bound(compressor.get(), content.size()), '\0');
  packed.resize(
      libdeflate_deflate_compress(compressor.get(), content.data(), content.size(), packed.data(), packed.size()));
  return packed;
}

// One entry as it will be written, so that each field may lie.
struct ZipEntry {
  ZipEntry(std::string name_, const std::string& content, bool deflate = true)
      : name(std::move(name_)),
        packed(deflate ? deflated(content) : content),
        method(deflate ? 8 : 0),
        crc(libdeflate_crc32(0, content.data(), content.size())),
        packed_size(packed.size()),
        size(content.size()) {}
  std::string name, packed;
  int flags = 0, method = 8;
  uint32_t crc = 0;
  uint64_t packed_size = 0, size = 0;
  std::string extra = {};           // of the central directory
  uint32_t made_by = 20, mode = 0;  // 3 << 8: Unix; its mode
  int64_t offset = -1;              // of the local header; -1: where it is
};

// Places of an archive's parts, for tests that overwrite fields.
struct WrittenZip {
  std::string bytes;
  std::vector<size_t> local, central;
  size_t end = 0;
};

inline WrittenZip zip_of(const std::vector<ZipEntry>& entries) {
  WrittenZip zip;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    const std::string fixed = little(entry.flags, 2) + little(entry.method, 2) + little(0x58210000, 4) +
                              little(entry.crc, 4) + little(entry.packed_size, 4) + little(entry.size, 4) +
                              little(entry.name.size(), 2);
    const uint64_t offset = entry.offset < 0 ? zip.bytes.size() : static_cast<uint64_t>(entry.offset);
    zip.central.push_back(directory.size());
    directory += "PK\x01\x02" + little(entry.made_by, 2) + little(20, 2) + fixed + little(entry.extra.size(), 2) +
                 little(0, 2) + little(0, 2) + little(0, 2) + little(uint64_t{entry.mode} << 16, 4) +
                 little(offset, 4) + entry.name + entry.extra;
    if (entry.offset >= 0) continue;  // shares another's data
    zip.local.push_back(zip.bytes.size());
    zip.bytes += "PK\x03\x04" + little(20, 2) + fixed + little(0, 2) + entry.name + entry.packed;
  }
  for (size_t& place : zip.central) place += zip.bytes.size();
  const size_t begin = zip.bytes.size();
  zip.bytes += directory;
  zip.end = zip.bytes.size();
  zip.bytes += "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
               little(directory.size(), 4) + little(begin, 4) + little(0, 2);
  return zip;
}

inline std::vector<ZipEntry> usual_entries() {
  return {{"images/a.png", std::string(3000, 'a')}, {"images/b.png", "bytes of b", false}, {"masks/a.png", "mask"}};
}

}  // namespace penstock::stages
