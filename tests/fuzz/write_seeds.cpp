// fuzz_seeds TARGET FOLDER: writes what fuzzing of a target begins with into a folder.
#include <cstdio>

#include "fuzz/fuzzing.h"
#include "fuzz/seeds.h"

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s TARGET FOLDER\n", words[0]);
    return 64;
  }
  const std::filesystem::path folder = words[2];
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const std::string& seed : penstock::fuzz::seeds_of(words[1]))
    penstock::fuzz::put(folder / ("seed-" + std::to_string(number++)), seed);
  std::printf("%d\n", number);
}
