// Archives that are damaged or made to harm: each is read right or refused by name, and none takes more memory than its
// limits allow. The archives are made here, byte by byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>

#include "distributed/error.h"
#include "stages/archives/archive.h"
#include "stages/archives/zip_bytes.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using testing::HasSubstr;

const ArchiveLimits limits = {1000, uint64_t{16} << 20, 200, 1024};

// Everything that unzip does with an archive: "read", or the refusal's words.
std::string outcome_of(const std::string& bytes) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "x.zip";
  std::ofstream(file, std::ios::binary) << bytes;
  try {
    uint64_t total = 0;
    for (const auto& archive : open_archives(file, limits)) {
      for (size_t entry = 0; entry < archive->entries().size(); ++entry) {
        archive->digest(entry);
        const auto content = archive->read(entry);
        EXPECT_EQ(content.size(), archive->entries()[entry].bytes);
        total += content.size();
      }
    }
    EXPECT_LE(total, 2 * limits.bytes);
    return "read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("x.zip"));
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not a refusal: " << error.what();
    return error.what();
  }
}

// This process may take so much more memory than it has.
class MemoryCap {
 public:
  explicit MemoryCap(uint64_t more) {
    getrlimit(RLIMIT_AS, &before_);
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlimit cap = {pages * 4096 + more, before_.rlim_max};
    setrlimit(RLIMIT_AS, &cap);
  }
  ~MemoryCap() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_ = {};
};

std::string with(std::string bytes, size_t at, uint64_t value, int size) {
  return bytes.replace(at, static_cast<size_t>(size), little(value, size));
}

struct Field {
  const char* name;
  size_t at;
  int size;
};
constexpr Field central_fields[] = {
    {"made by", 4, 2},  {"needed", 6, 2},  {"flags", 8, 2},     {"method", 10, 2},   {"time", 12, 4},
    {"crc", 16, 4},     {"packed", 20, 4}, {"size", 24, 4},     {"name", 28, 2},     {"extra", 30, 2},
    {"comment", 32, 2}, {"disk", 34, 2},   {"internal", 36, 2}, {"external", 38, 4}, {"offset", 42, 4},
};
constexpr Field local_fields[] = {{"needed", 4, 2},  {"flags", 6, 2}, {"method", 8, 2}, {"crc", 14, 4},
                                  {"packed", 18, 4}, {"size", 22, 4}, {"name", 26, 2},  {"extra", 28, 2}};
constexpr Field end_fields[] = {{"disk", 4, 2},     {"directory's disk", 6, 2}, {"entries here", 8, 2},
                                {"entries", 10, 2}, {"bytes", 12, 4},           {"offset", 16, 4},
                                {"comment", 20, 2}};
constexpr uint64_t hostile_values[] = {0, 1, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};

TEST(HostileZips, AnyFieldMayLie) {
  const MemoryCap cap(uint64_t{512} << 20);
  const WrittenZip zip = zip_of(usual_entries());
  int cases = 0, read = 0;
  const auto run = [&](size_t place, const Field& field) {
    for (const uint64_t value : hostile_values) {
      if (field.size == 2 && value > 0xffff) continue;
      SCOPED_TRACE(std::string(field.name) + " = " + std::to_string(value));
      ++cases;
      read += outcome_of(with(zip.bytes, place + field.at, value, field.size)) == "read";
    }
  };
  for (const Field& field : central_fields) run(zip.central[0], field);
  for (const Field& field : local_fields) run(zip.local[0], field);
  for (const Field& field : end_fields) run(zip.end, field);
  EXPECT_GT(cases, 150);
  EXPECT_LT(read, cases / 2) << "times and versions may lie; sizes and places may not";
}

TEST(HostileZips, AnyByteMayBeAnother) {
  const MemoryCap cap(uint64_t{512} << 20);
  const WrittenZip zip = zip_of(usual_entries());
  for (size_t at = 0; at < zip.bytes.size(); ++at) {
    SCOPED_TRACE("byte " + std::to_string(at));
    outcome_of(with(zip.bytes, at, static_cast<uint8_t>(zip.bytes[at]) ^ 0x55, 1));
  }
}

TEST(HostileZips, NamesThatLeadOutOrAreNoneAreRefused) {
  for (const std::string name : {"../a.png", "/a.png", "a/../../b.png", "C:/a.png", "..\\a.png", "a\\..\\..\\b.png",
                                 "\\a.png", "C:a.png", "images/../../a.png"}) {
    EXPECT_THAT(outcome_of(zip_of({{name, "x"}}).bytes), HasSubstr("leads out")) << name;
  }
  EXPECT_NE(outcome_of(zip_of({{"", "x"}}).bytes), "read");
  EXPECT_THAT(outcome_of(zip_of({{std::string(5000, 'n') + ".png", "x"}}).bytes), HasSubstr("max_name_length"));
}

TEST(HostileZips, WhatUnpacksToTooMuchIsRefused) {
  const MemoryCap cap(uint64_t{512} << 20);
  EXPECT_THAT(outcome_of(zip_of({{"a.png", std::string(8 << 20, '\0')}}).bytes), HasSubstr("max_ratio"));
  std::vector<ZipEntry> many;
  for (int i = 0; i < 1001; ++i) many.emplace_back("images/" + std::to_string(i) + ".png", "x", false);
  EXPECT_THAT(outcome_of(zip_of(many).bytes), HasSubstr("max_entries"));
}

TEST(HostileZips, EntriesThatShareOneEntrysBytesAreCountedEach) {
  // David Fifield, "A better zip bomb" (USENIX WOOT 2019): a directory of many entries over the same data.
  const MemoryCap cap(uint64_t{512} << 20);
  std::string noise;  // packs to about a quarter
  for (int i = 0; noise.size() < (1 << 20); ++i) noise += std::to_string(i * 7919);
  std::vector<ZipEntry> entries = {{"images/0.png", noise}};
  for (int i = 1; i < 12; ++i) {
    entries.push_back(entries.front());
    entries.back().offset = 0;
    entries.back().name = "images/" + std::to_string(i) + ".png";
  }
  EXPECT_THAT(outcome_of(zip_of(entries).bytes), HasSubstr("overlap"));
}

TEST(HostileZips, ZipsInZipsInZipsEndAtTheDepthLimit) {
  std::string inner = zip_of(usual_entries()).bytes;
  for (int depth = 0; depth < 8; ++depth) inner = zip_of({{"more.zip", inner, false}}).bytes;
  EXPECT_NE(outcome_of(inner), "read");
}

TEST(HostileZips, LinksSpecialFilesAndLockedEntriesAreRefused) {
  ZipEntry link("images/a.png", "/etc/passwd", false);
  link.made_by = 3 << 8 | 20, link.mode = 0120777;
  EXPECT_THAT(outcome_of(zip_of({link}).bytes), HasSubstr("symbolic link"));
  ZipEntry locked("images/a.png", "secret");
  locked.flags = 1;
  EXPECT_THAT(outcome_of(zip_of({locked}).bytes), HasSubstr("encrypted"));
  ZipEntry unknown("images/a.png", "x");
  unknown.method = 99;
  EXPECT_NE(outcome_of(zip_of({unknown}).bytes), "read");
}

TEST(HostileZips, SizesOf64BitsMayLieToo) {
  const MemoryCap cap(uint64_t{512} << 20);
  for (const uint64_t size : {uint64_t{1} << 33, uint64_t{1} << 40, uint64_t{1} << 62, ~uint64_t{0}}) {
    for (const uint64_t packed : {uint64_t{5}, uint64_t{1} << 33, uint64_t{1} << 62, ~uint64_t{0}}) {
      for (const uint64_t offset : {uint64_t{0}, uint64_t{1} << 40, ~uint64_t{0}}) {
        ZipEntry entry("images/a.png", "bytes", false);
        entry.extra = little(1, 2) + little(24, 2) + little(size, 8) + little(packed, 8) + little(offset, 8);
        WrittenZip zip = zip_of({entry});
        zip.bytes = with(with(with(zip.bytes, zip.central[0] + 20, 0xffffffff, 4), zip.central[0] + 24, 0xffffffff, 4),
                         zip.central[0] + 42, 0xffffffff, 4);
        EXPECT_NE(outcome_of(zip.bytes), "read") << size << " " << packed << " " << offset;
      }
    }
  }
}

TEST(HostileZips, TheUsualOneIsRead) { EXPECT_EQ(outcome_of(zip_of(usual_entries()).bytes), "read"); }

}  // namespace
}  // namespace penstock::stages
