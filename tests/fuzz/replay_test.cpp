// The fuzz targets over what is kept of them: seeds, inputs that once were findings (corpus/TARGET), what is too large
// to keep, and some thousand mutations of the seeds. The same claims hold as while fuzzing; with the preset asan, the
// sanitizers watch.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/seeds.h"
#include "pipeline/files.h"
#include "stages/images/damaged_files.h"

#define TARGETS(of) of(zip) of(png) of(jpeg) of(tiff) of(toml) of(checkpoint) of(pack) of(manifest)

// The targets' LLVMFuzzerTestOneInput, each under a name of its own here.
#define DECLARE(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
TARGETS(DECLARE)
#undef DECLARE

namespace penstock::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
  std::string name;
  int (*run)(const uint8_t*, size_t);
};

const std::vector<Target>& targets() {
#define ROW(name) {#name, fuzz_##name},
  static const std::vector<Target> all = {TARGETS(ROW)};
#undef ROW
  return all;
}

// In memory of exactly its size, so that a sanitizer sees a byte read beyond it.
void run(const Target& target, const std::string& input, const std::string& shown) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  try {
    target.run(bytes.data(), bytes.size());
  } catch (const std::exception& finding) {
    ADD_FAILURE() << target.name << ", " << shown << ": " << finding.what();
  }
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

std::string with_length(const std::string& header) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header;
}

// What would take too much room in the repository.
std::vector<std::string> large_inputs(const std::string& target) {
  const std::string deep = repeated("[", 300'000) + repeated("]", 300'000);
  if (target == "toml") {
    const std::string key = "a" + repeated(".a", 100'000);
    return {"[" + key + "]\n", key + " = 1\n", "x = " + deep, "x = { " + key + " = 1 }\n",
            "x = " + repeated("[{a.b.c.d.e = ", 120) + "1" + repeated("}]", 120) + "\n"};
  }
  if (target == "checkpoint") return {deep, "{\"epochs\":" + deep + "}", repeated("{\"a\":", 300'000)};
  if (target == "pack") return {with_length("{\"__metadata__\":" + deep + "}"), with_length(deep)};
  if (target == "manifest") return {"kind\n%%\n{\"stage\":\"s\",\"fields\":[[\"kind\"," + deep + "]],\"ports\":[]}"};
  return {};
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, SeedsAndKeptFindingsAreAnswered) {
  int number = 0;
  for (const std::string& seed : seeds_of(GetParam().name)) run(GetParam(), seed, "seed " + std::to_string(number++));
  for (const std::string& input : large_inputs(GetParam().name))
    run(GetParam(), input, "large input that begins with " + input.substr(0, 20));
  std::error_code none_kept;
  for (const auto& entry :
       fs::directory_iterator(fs::path(PENSTOCK_SOURCE_DIR "/tests/fuzz/corpus") / GetParam().name, none_kept))
    run(GetParam(), pipeline::read_file(entry.path()), entry.path().filename().string());
  EXPECT_GT(number, 1);
}

TEST_P(Replay, MutationsOfSeedsAreAnswered) {
  constexpr int64_t rounds = 3000;
  const std::vector<std::string> seeds = seeds_of(GetParam().name);
  for (int64_t round = 0; round < rounds; ++round) {
    run(GetParam(), stages::mutated(seeds[static_cast<size_t>(round) % seeds.size()], round),
        "mutation " + std::to_string(round));
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Replay, testing::ValuesIn(targets()), [](const auto& about) { return about.param.name; });

TEST(ReplayCorpus, IsSmall) {
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(PENSTOCK_SOURCE_DIR "/tests/fuzz/corpus"))
    bytes += entry.is_regular_file() ? entry.file_size() : 0;
  EXPECT_LT(bytes, 200'000u);
}

}  // namespace
}  // namespace penstock::fuzz
