// Rules of the project, computed from its sources and from what was built.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "stages/kinds.h"

namespace {

namespace fs = std::filesystem;

const fs::path source_dir = PENSTOCK_SOURCE_DIR;
const fs::path binary_dir = PENSTOCK_BINARY_DIR;

// From the bottom to the top: a folder may include itself and what stands before it.
const std::vector<std::string> layers = {"distributed", "pipeline", "stages", "launch"};

std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir / folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp" || extension == ".cu") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> includes(const fs::path& file) {
  static const std::regex line(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::ifstream in(file);
  std::vector<std::string> found;
  for (std::string text; std::getline(in, text);) {
    std::smatch match;
    if (std::regex_search(text, match, line)) found.push_back(match[1]);
  }
  return found;
}

std::string output_of(const std::string& command, int* code = nullptr) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> part;
  for (size_t got; (got = fread(part.data(), 1, part.size(), pipe)) > 0;) text.append(part.data(), got);
  const int status = pclose(pipe);
  if (code != nullptr) *code = WEXITSTATUS(status);
  return text;
}

// The layer that an include names, or -1 when it lies outside the project.
int layer_of(const std::string& include) {
  const std::string folder = include.substr(0, include.find('/'));
  const auto found = std::find(layers.begin(), layers.end(), folder);
  return found == layers.end() || include.find('/') == std::string::npos ? -1
                                                                         : static_cast<int>(found - layers.begin());
}

TEST(Rules, NoFolderIncludesWhatStandsAboveIt) {
  size_t seen = 0;
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    for (const fs::path& file : sources(layers[layer])) {
      for (const std::string& include : includes(file)) {
        seen += layer_of(include) >= 0;
        EXPECT_LE(layer_of(include), static_cast<int>(layer)) << file << " includes " << include;
      }
    }
  }
  EXPECT_GT(seen, 50u) << "the rule saw no includes: it would pass on anything";
}

TEST(Rules, OnlyStagesComputeAndCudaIncludeHeavyLibraries) {
  for (const std::string& folder : layers) {
    for (const fs::path& file : sources(folder)) {
      const std::string name = file.lexically_relative(source_dir).generic_string();
      if (name.starts_with("stages/compute/") || name.starts_with("stages/cuda/")) continue;
      for (const std::string& include : includes(file)) {
        EXPECT_FALSE(std::regex_search(include, std::regex("^(torch|ATen|c10|opencv2)/|^hdf5")))
            << name << " includes " << include;
        EXPECT_FALSE(include.starts_with("stages/compute/")) << name << " includes " << include;
      }
    }
  }
}

TEST(Rules, EnginesUseOfRanksIsTheAbstractCommunicator) {
  const std::set<std::string> allowed = {
      "distributed/communicator.h",   "distributed/collectives.h",     "distributed/error.h",
      "distributed/outcome.h",        "distributed/watchdog/settle.h", "distributed/check.h",
      "distributed/watchdog/watch.h", "distributed/world.h",           "distributed/printable.h"};
  for (const fs::path& file : sources("pipeline")) {
    for (const std::string& include : includes(file)) {
      if (include.starts_with("distributed/")) {
        EXPECT_TRUE(allowed.count(include)) << file << " includes " << include;
      }
    }
  }
}

// A third-party interface that is included in one place can be replaced in one place.
TEST(Rules, HeadersOfBackEndsAreIncludedBySourcesOnlyAndByFew) {
  const std::map<std::string, size_t> limits = {{"mpi.h", 1}, {"toml.h", 2}, {"toml++/toml.h", 2}, {"zip.h", 2},
                                                {"png.h", 2}, {"hdf5.h", 2}, {"nccl.h", 2}};
  std::map<std::string, std::vector<std::string>> users;
  for (const std::string& folder : layers) {
    for (const fs::path& file : sources(folder)) {
      for (const std::string& include : includes(file)) {
        if (!limits.count(include)) continue;
        users[include].push_back(file.filename().string());
        EXPECT_EQ(file.extension(), ".cpp") << file << " includes " << include;
      }
    }
  }
  EXPECT_FALSE(users["mpi.h"].empty());
  EXPECT_FALSE(users["nccl.h"].empty());
  for (const auto& [header, files] : users) {
    EXPECT_LE(files.size(), limits.at(header)) << header << " is included by " << testing::PrintToString(files);
  }
}

class Folder : public testing::TestWithParam<std::string> {};

// CUDA's own headers are for what forms libpenstock_cuda.so.
TEST(Rules, OnlyTheCudaLibraryIncludesCuda) {
  size_t seen = 0;
  for (const std::string& folder : layers) {
    for (const fs::path& file : sources(folder)) {
      const std::string name = file.lexically_relative(source_dir).generic_string();
      const bool part = name.starts_with("stages/cuda/") || name == "distributed/nccl_communicator.cpp";
      for (const std::string& include : includes(file)) {
        const bool cuda = std::regex_search(include, std::regex("^(cuda|cudnn|nccl)|^(ATen|c10)/cuda/"));
        seen += cuda;
        EXPECT_TRUE(part || !cuda) << name << " includes " << include;
      }
    }
  }
  EXPECT_GT(seen, 5u);
}

// Those that need LibTorch or OpenCV are compiled with it anyway.
TEST_P(Folder, EveryHeaderCompilesAlone) {
  for (const fs::path& file : sources(GetParam())) {
    const auto all = includes(file);
    const bool heavy = std::any_of(all.begin(), all.end(), [](const std::string& include) {
      return include.starts_with("torch/") || include.starts_with("ATen/") || include.starts_with("opencv2/");
    });
    const std::string name = file.lexically_relative(source_dir).generic_string();
    if (file.extension() != ".h" || heavy || name.starts_with("stages/compute")) continue;
    int code = 0;
    const std::string text = output_of("cd '" + source_dir.string() + "' && printf '#include \"%s\"\n' " + name +
                                           " | c++ -std=c++20 -DSPDLOG_COMPILED_LIB -I. -fsyntax-only -x c++ -",
                                       &code);
    EXPECT_EQ(code, 0) << name << "\n" << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Folder, testing::ValuesIn(layers), [](const auto& folder) { return folder.param; });

// ---- rooms ----

// A floor is a folder of which each sub-folder with sources is a room; stages/compute is a room of stages/ with rooms
// of its own.
const std::vector<std::string> floors = {"distributed", "pipeline", "stages", "stages/compute", "launch"};

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The rooms of a floor, by name; "." is what lies in the floor itself.
std::set<std::string> rooms_of(const std::string& floor) {
  std::set<std::string> rooms = {"."};
  for (const fs::path& file : sources(floor)) {
    const auto inside = file.parent_path().lexically_relative(source_dir / floor);
    rooms.insert(inside.begin()->generic_string());
  }
  return rooms;
}

// The room that a file, named from the project's folder, lies in; empty: not on this floor.
std::string room_of(const std::string& floor, const std::string& file) {
  if (!file.starts_with(floor + "/")) return "";
  const std::string inside = file.substr(floor.size() + 1);
  const size_t slash = inside.find('/');
  return slash == std::string::npos ? "." : inside.substr(0, slash);
}

// The lines "1. `store/` ..." of a floor's README, from the bottom to the top.
std::vector<std::string> written_order(const std::string& floor) {
  static const std::regex entry(R"(^\d+\. `([a-z_.]+)/?`)");
  std::vector<std::string> order;
  std::istringstream lines(text_of(source_dir / floor / "README.md"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) order.push_back(match[1]);
  }
  return order;
}

class Floor : public testing::TestWithParam<std::string> {};

TEST_P(Floor, ItsReadmeOrdersAllOfItsRooms) {
  const auto order = written_order(GetParam());
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()), rooms_of(GetParam()));
  EXPECT_EQ(order.size(), rooms_of(GetParam()).size()) << "a room is listed twice";
}

TEST_P(Floor, NoRoomIncludesOneThatStandsAboveItInThatOrder) {
  const auto order = written_order(GetParam());
  const auto level = [&](const std::string& room) {
    return std::find(order.begin(), order.end(), room) - order.begin();
  };
  size_t seen = 0;
  for (const fs::path& file : sources(GetParam())) {
    const std::string name = file.lexically_relative(source_dir).generic_string();
    for (const std::string& include : includes(file)) {
      const std::string room = room_of(GetParam(), include);
      if (room.empty()) continue;
      ++seen;
      EXPECT_LE(level(room), level(room_of(GetParam(), name))) << name << " includes " << include;
    }
  }
  EXPECT_GT(seen, 10u) << "the rule saw no includes: it would pass on anything";
}

TEST_P(Floor, EachRoomHasAReadmeOfAtMostFortyLinesWhoseFilesExist) {
  static const std::regex named(R"(`([A-Za-z0-9_./-]+\.(?:cpp|h|cu|md|toml|py))`)");
  for (const std::string& room : rooms_of(GetParam())) {
    const fs::path folder = (source_dir / GetParam() / room).lexically_normal();
    const std::string text = text_of(folder / "README.md");
    EXPECT_FALSE(text.empty()) << folder << " has no README.md";
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40) << folder;
    size_t files = 0;
    for (std::sregex_iterator match(text.begin(), text.end(), named), none; match != none; ++match, ++files) {
      const std::string file = (*match)[1];
      EXPECT_TRUE(fs::exists(folder / file) || fs::exists(source_dir / file)) << folder << "/README.md names " << file;
    }
    EXPECT_GT(files, 0u) << folder << "/README.md names no file to start reading in";
  }
}

// About 20: more are not taken in at one look. A module is a header with its source, or either alone.
TEST_P(Floor, NoRoomHoldsMoreThan24Modules) {
  std::map<fs::path, std::set<std::string>> modules;  // by folder
  for (const fs::path& file : sources(GetParam())) modules[file.parent_path()].insert(file.stem().string());
  EXPECT_FALSE(modules.empty());
  for (const auto& [folder, names] : modules) EXPECT_LE(names.size(), 24u) << folder;
}

INSTANTIATE_TEST_SUITE_P(Rules, Floor, testing::ValuesIn(floors),
                         [](const auto& floor) { return std::regex_replace(floor.param, std::regex("/"), "_"); });

TEST(Rules, StagesIncludeOfTheEngineItsRootAlone) {
  size_t seen = 0;
  for (const fs::path& file : sources("stages")) {
    for (const std::string& include : includes(file)) {
      if (!include.starts_with("pipeline/")) continue;
      ++seen;
      EXPECT_EQ(room_of("pipeline", include), ".") << file << " includes " << include;
    }
  }
  EXPECT_GT(seen, 20u);
}

// ---- sizes and format ----

struct Function {
  std::string head;  // its first line
  size_t lines = 0;
};

// Those that stand at the left margin or in a class there, in a file that clang-format has formatted.
std::vector<Function> functions_of(const fs::path& file) {
  static const std::regex no_function(
      R"(^\s*(namespace|struct|class|enum|extern|union|public|private|protected)\b|^\s*#|^\s*//|^$)");
  std::vector<Function> found;
  std::ifstream in(file);
  std::string head, close;  // of the function that is open, or of the declaration that may become one
  bool literal = false;
  size_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    if (literal || line.find("R\"(") != std::string::npos) literal = line.find(")\"") == std::string::npos;
    ++lines;
    const size_t margin = std::min(line.find_first_not_of(' '), line.size());
    if (!close.empty()) {
      if (!literal && line.starts_with(close)) found.push_back({head, lines}), head = close = "";
      continue;
    }
    if (margin <= 2) head = std::regex_search(line, no_function) ? "" : line, lines = 1;
    if (!head.empty() && line.ends_with('{')) close = std::string(head.find_first_not_of(' '), ' ') + "}";
    if (line.ends_with(';') || line.ends_with('}')) head = "";
  }
  return found;
}

TEST(Rules, NoFunctionIsLongerThanSixtyLines) {
  // Lists that are read from top to bottom, one entry after the other.
  const std::set<std::string> lists = {
      "void TrainParameters::describe(pipeline::ParameterVisitor& visit) {",  // train's parameters
      "const std::vector<Rule>& rules() {",                                   // the errors of configurations
  };
  size_t seen = 0;
  for (const std::string& layer : layers) {
    for (const fs::path& file : sources(layer)) {
      for (const Function& function : functions_of(file)) {
        ++seen;
        if (lists.count(function.head)) continue;
        EXPECT_LE(function.lines, 60u) << file << ": " << function.head;
      }
    }
  }
  EXPECT_GT(seen, 1000u) << "the rule saw too few functions: it would pass on anything";
}

TEST(Rules, EverySourceIsFormatted) {
  const std::string version = output_of("clang-format --version");
  if (version.find("version 14.") == std::string::npos) {
    GTEST_SKIP() << "not run: the tree is formatted by clang-format 14 (launch/setup --tests installs it on Debian "
                    "12), here is: "
                 << version;
  }
  std::string files;
  for (const std::string& layer : layers) {
    for (const fs::path& file : sources(layer)) files += " '" + file.string() + "'";
  }
  for (const fs::path& file : sources("tests")) files += " '" + file.string() + "'";
  int code = 0;
  const std::string text = output_of("clang-format --dry-run -Werror" + files, &code);
  EXPECT_EQ(code, 0) << text << "\nFormat them: git ls-files '*.cpp' '*.h' '*.cu' | xargs clang-format -i";
}

std::set<std::string> needed_libraries(const fs::path& binary) {
  std::set<std::string> needed;
  std::istringstream lines(output_of("readelf -d '" + binary.string() + "'"));
  static const std::regex entry(R"(\(NEEDED\).*\[(.+)\])");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) needed.insert(match[1]);
  }
  return needed;
}

TEST(Rules, TheExecutableLoadsNoHeavyLibrary) {
  const std::regex heavy("torch|c10|hdf5|opencv|mpi|cuda|protobuf", std::regex::icase);
  for (const char* name : {"penstock", "libpenstock.so"}) {
    const auto needed = needed_libraries(binary_dir / name);
    EXPECT_FALSE(needed.empty()) << name;
    for (const std::string& library : needed) {
      EXPECT_FALSE(std::regex_search(library, heavy)) << name << " needs " << library;
    }
  }
}

TEST(Rules, NothingLinksProtobuf) {
  for (const char* name :
       {"penstock", "libpenstock.so", "libpenstock_mpi.so", "libpenstock_compute.so", "libpenstock_cuda.so"}) {
    EXPECT_EQ(output_of("ldd '" + (binary_dir / name).string() + "'").find("protobuf"), std::string::npos) << name;
  }
}

// What a GPU machine would say when the library is opened there: every library and symbol that it needs is to be had
// here.
TEST(Rules, TheCudaLibraryLeavesNothingUnresolved) {
  const fs::path library = binary_dir / "libpenstock_cuda.so";
  if (!fs::exists(library)) GTEST_SKIP() << "not run: no CUDA toolkit was found when this was configured";
  const std::string text = output_of("ldd -r '" + library.string() + "'");
  EXPECT_NE(text.find("libtorch_cuda.so"), std::string::npos) << text;
  if (text.find("not found") != std::string::npos)
    GTEST_SKIP() << "not run: launch/setup --cuda fetches the libraries that LibTorch needs beside a toolkit";
  EXPECT_EQ(text.find("undefined symbol"), std::string::npos) << text;
}

TEST(Rules, TheStageTableHoldsEveryKindOnceWithABody) {
  std::set<std::string> names;
  for (const auto& kind : penstock::stages::stage_table()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name << " is twice in the table";
    EXPECT_TRUE(kind.body) << kind.name << " has no body";
    EXPECT_GE(kind.version, 1) << kind.name;
    EXPECT_FALSE(kind.summary.empty()) << kind.name;
    std::set<std::string> parameters;
    for (const auto& parameter : kind.parameters) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << kind.name << "." << parameter.name;
      EXPECT_FALSE(parameter.about.help.empty()) << kind.name << "." << parameter.name << " has no help";
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"synthesize", "unzip", "resize", "inspect", "shard", "split", "train",
                                          "ensemble", "eval", "report", "command"}));
}

TEST(Rules, TheReferenceSaysWhatTheTablesSay) {
  const std::string page = output_of("'" + (binary_dir / "penstock").string() + "' stages --markdown");
  EXPECT_TRUE(text_of(source_dir / "configs/REFERENCE.md") == page)
      << "configs/REFERENCE.md differs from the tables of keys, kinds and errors. Make it anew:\n"
      << "    build/release/penstock stages --markdown > configs/REFERENCE.md";
}

TEST(Rules, NoFileIsNamedAfterNothing) {
  for (const std::string& folder : layers) {
    for (const fs::path& file : sources(folder)) {
      EXPECT_FALSE(std::regex_search(file.stem().string(), std::regex("util|common|helper|misc"))) << file;
    }
  }
}

TEST(Rules, EveryShippedConfigurationIsValid) {
  size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(source_dir / "configs")) {
    if (entry.path().extension() != ".toml") continue;
    int code = 0;
    const std::string text =
        output_of("'" + (binary_dir / "penstock").string() + "' validate '" + entry.path().string() + "'", &code);
    EXPECT_EQ(code, 0) << text;
    ++seen;
  }
  EXPECT_GE(seen, 3u);
}

}  // namespace
