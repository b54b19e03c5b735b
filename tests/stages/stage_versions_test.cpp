// A stage whose sources changed says whether its bytes did: a raised version, or a recorded "no effect".
//
// tests/stage_versions.txt holds, of each kind, the version and the digest of its sources when somebody last answered.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>

#include "stage_sources.h"
#include "stages/kinds.h"

namespace penstock::stages {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsSupersetOf;

const fs::path root = PENSTOCK_SOURCE_DIR;
const fs::path table_file = root / "tests/stage_versions.txt";

struct Recorded {
  int version = 0;
  std::string digest;
};

std::map<std::string, Recorded> recorded() {
  std::map<std::string, Recorded> found;
  std::istringstream lines(pipeline::read_file(table_file));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    Recorded row;
    if (!line.starts_with("#") && words >> kind >> row.version >> row.digest) found[kind] = row;
  }
  return found;
}

void record() {
  const auto before = recorded();
  std::string text =
      "# kind, version, digest of its sources (stages/<kind>.cpp and all below stages/ that it is made of, without "
      "comments and\n"
      "# white space). Written by tests/record_stage_versions; tests/stages/stage_versions_test.cpp compares.\n";
  for (const auto& kind : stage_table()) {
    const std::string digest = digest_of_sources(kind.name, root).hex();
    text += fmt::format("{} {} {}\n", kind.name, kind.version, digest);
    const auto row = before.find(kind.name);
    if (row == before.end())
      std::cout << fmt::format("{}: new, version {}\n", kind.name, kind.version);
    else if (row->second.version != kind.version)
      std::cout << fmt::format("{}: version {} -> {}\n", kind.name, row->second.version, kind.version);
    else if (row->second.digest != digest)
      std::cout << fmt::format(
          "{}: sources changed, recorded as without effect on the bytes of its output (version stays {})\n", kind.name,
          kind.version);
  }
  pipeline::write_file(table_file, text);
}

TEST(StageVersions, SourcesThatChangedComeWithANewVersionOrARecordedNoEffect) {
  if (std::getenv("PENSTOCK_RECORD_STAGE_VERSIONS") != nullptr) record();
  auto table = recorded();
  for (const auto& kind : stage_table()) {
    const auto row = table.extract(kind.name);
    if (row.empty()) {
      ADD_FAILURE() << kind.name << " is not in tests/stage_versions.txt: run tests/record_stage_versions";
    } else if (row.mapped().version != kind.version) {
      ADD_FAILURE() << kind.name << " has version " << kind.version << ", recorded is " << row.mapped().version
                    << ": run tests/record_stage_versions";
    } else if (row.mapped().digest != digest_of_sources(kind.name, root).hex()) {
      ADD_FAILURE()
          << "the sources of " << kind.name
          << " changed, and its version did not. Can the bytes of its output differ from before? Then raise "
          << "StageKind::version in " << declaration_of(kind.name, root)
          << ", or old outputs are taken for new ones. Then, or when they cannot, run tests/record_stage_versions";
    }
  }
  for (const auto& [kind, row] : table)
    ADD_FAILURE() << kind << " is recorded, but is not a kind: run tests/record_stage_versions";
}

TEST(StageVersions, TheDigestCoversTheBodyAndWhatItIsMadeOf) {
  EXPECT_THAT(sources_of("train", root),
              IsSupersetOf({"stages/train.cpp", "stages/training/train_parameters.h", "stages/compute/train_body.cpp",
                            "stages/compute/model/unet.cpp", "stages/cuda/kernels.cu", "stages/draws.h"}));
  EXPECT_THAT(sources_of("unzip", root),
              IsSupersetOf({"stages/unzip.cpp", "stages/packs/pack.cpp", "stages/images/png_codec.cpp"}));
  EXPECT_THAT(sources_of("split", root), testing::Not(testing::Contains(HasSubstr("compute/"))));
  EXPECT_NE(digest_of_sources("split", root), digest_of_sources("unzip", root));
}

TEST(StageVersions, EverySourceIsSomeKindsButForThoseThatMakeNoOutput) {
  std::set<std::string> rest, covered;
  for (const auto& kind : stage_table()) covered.merge(sources_of(kind.name, root));
  for (const auto& entry : fs::recursive_directory_iterator(root / "stages")) {
    const std::string name = entry.path().lexically_relative(root).generic_string();
    if (name.ends_with(".cpp") && !covered.count(name)) rest.insert(name);
  }
  EXPECT_EQ(rest, (std::set<std::string>{"stages/training/links.cpp",
                                         "stages/training/scaling.cpp",
                                         "stages/stage_table.cpp",
                                         "stages/report/sweep_page.cpp",
                                         "stages/report/sweep_table.cpp",
                                         "stages/compute/bench.cpp",
                                         "stages/compute/device_checks.cpp",
                                         "stages/compute/extensions.cpp",
                                         "stages/compute/kernel_checks.cpp",
                                         "stages/compute/step/host_device.cpp",
                                         "stages/compute/library.cpp",
                                         "stages/compute/library_checks.cpp",
                                         "stages/compute/predict.cpp",
                                         "stages/compute/prediction_folder.cpp",
                                         "stages/compute/survey.cpp",
                                         "stages/compute/disc_samples.cpp",
                                         "stages/compute/device_measurements.cpp",
                                         "stages/compute/bench_train.cpp",
                                         "stages/compute/bench_timing.cpp",
                                         "stages/compute/bench_steps.cpp",
                                         "stages/compute/bench_reduce.cpp"}))
      << "a source that no kind's digest covers may change outputs unseen";
}

TEST(StageVersions, FormattingAndCommentsDoNotChangeIt) {
  const auto stripped = without_comments_and_space("int f( int  a ) {  // one\n  return a + 1'000; /* two */\n}\n");
  EXPECT_EQ(stripped, "int f(int a){return a+1'000;}");
  EXPECT_EQ(stripped, without_comments_and_space("int\nf(int a)\n{\n\treturn a+1'000;\n}"));
}

TEST(StageVersions, WhatIsInsideALiteralDoes) {
  EXPECT_EQ(without_comments_and_space("a = \"b  // c\" ;"), "a=\"b  // c\";");
  EXPECT_EQ(without_comments_and_space("a = R\"x( \" // )x\" ; // d"), "a=R\"x( \" // )x\";");
  EXPECT_EQ(without_comments_and_space("c = '\"'; d = '\\''; // e"), "c='\"';d='\\'';");
}

}  // namespace
}  // namespace penstock::stages
