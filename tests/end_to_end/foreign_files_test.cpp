// Inputs, folders and programs that are not as one hopes: links, FIFOs, names in an old encoding; and signals
// meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "workplace.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

std::string command_pipeline(const std::string& script) {
  return "schema = 1\n[pipeline]\nname = \"c\"\n[stage.clean]\nuses = \"command\"\ncommand = [\"sh\", \"-c\", '''" +
         script + "''']\noutputs = [\"out\"]\n";
}

// Waits until the process has opened a file of this name; false when it ended before.
bool wait_until_open(Process& process, const std::string& name) {
  while (process.running()) {
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(process.pid()) + "/fd", gone)) {
      if (fs::read_symlink(entry.path(), gone).filename() == name) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// A file that takes an hour to digest and no room.
void make_endless(const fs::path& file) {
  std::ofstream(file) << "PK";
  fs::resize_file(file, uint64_t{1} << 40);
}

class Signals : public testing::TestWithParam<int> {};

TEST_P(Signals, EndTheDigestOfAnInput) {
  const Workplace place;
  make_endless(place.path() / "endless.zip");
  Process process(place.program(1) + "run pipeline.toml --input unzip.archive=endless.zip", place.path());
  ASSERT_TRUE(wait_until_open(process, "endless.zip"));
  ::kill(process.pid(), GetParam());
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 75) << ran.error;
  EXPECT_THAT(ran.error, AllOf(HasSubstr("interrupted while reading"), HasSubstr("endless.zip")));
}

TEST_P(Signals, EndAWaitForAnotherRun) {
  const Workplace place;
  const std::string script =
      "echo x > {out}/x; while [ ! -e '" + (place.path() / "go").string() + "' ]; do sleep 0.1; done";
  place.write("pipeline.toml", command_pipeline(script));
  Process first(place.program(1) + "run pipeline.toml", place.path());
  while (first.running() && place.entries(".penstock/leases") == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  Process second(place.program(1) + "run pipeline.toml 2>second.txt", place.path());
  while (second.running() && text_of(place.path() / "second.txt").find("waiting for another run") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(second.running()) << text_of(place.path() / "second.txt");
  ::kill(second.pid(), GetParam());
  EXPECT_EQ(second.wait().code, 75);
  place.write("go", "");
  EXPECT_EQ(first.wait().code, 0);
}

TEST_P(Signals, EndAProgramThatDoesNotListen) {
  const Workplace place(command_pipeline("trap '' TERM INT; echo x > {out}/x; touch /proc/$PPID/cwd/deaf; sleep 600"));
  Process process(place.program(1) + "run pipeline.toml", place.path());
  while (process.running() && !fs::exists(place.path() / "deaf"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(process.pid(), GetParam());
  EXPECT_EQ(process.wait().code, 75);
}

INSTANTIATE_TEST_SUITE_P(Each, Signals, testing::Values(SIGTERM, SIGINT),
                         [](const auto& given) { return given.param == SIGTERM ? "Sigterm" : "Sigint"; });

TEST(ForeignFiles, AProgramThatPrintsBytesAndFailsIsQuoted) {
  const Workplace place(command_pipeline("printf 'own words \\377\\n'; exit 1; : {out}"));
  const Ran ran = place.penstock("run pipeline.toml");
  EXPECT_EQ(ran.code, 65) << ran.error;
  EXPECT_THAT(ran.error, HasSubstr("own words \\xFF"));
  EXPECT_THAT(place.penstock("logs pipeline.toml clean --json").out, HasSubstr("own words"));
}

TEST(ForeignFiles, AFifoInAnOutputOrAsAnInputIsRefusedByName) {
  const Workplace place(command_pipeline("mkfifo {out}/pipe"));
  const Ran output = place.penstock("run pipeline.toml");
  EXPECT_EQ(output.code, 65) << output.error;
  EXPECT_THAT(output.error, HasSubstr("{out}/pipe: is a FIFO"));
  place.write("pipeline.toml", small_pipeline);
  ASSERT_EQ(mkfifo((place.path() / "pipe").c_str(), 0644), 0);
  const Ran input = place.penstock("run pipeline.toml --input unzip.archive=pipe");
  EXPECT_EQ(input.code, 65) << input.error;
  EXPECT_THAT(input.error, AllOf(HasSubstr("pipe: is a FIFO"), HasSubstr("unzip")));
}

// All of it, in a folder whose name is in an old encoding, on two ranks; then predict on data made of links, on a name
// that is not UTF-8 and on a FIFO.
TEST(ForeignFiles, PathsMayBeAnyBytesAndDataMayBeMadeOfLinks) {
  const Workplace place;
  const fs::path work = place.path() / "k\xE4se";
  fs::create_directory(work);
  const auto penstock = [&](const std::string& arguments, int ranks = 1) {
    return run(place.program(ranks) + arguments, work);
  };
  fs::rename(place.path() / "pipeline.toml", work / "pipeline.toml");
  const Ran ran = penstock("run pipeline.toml", 2);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(penstock("run --json pipeline.toml --store \"$PWD/.penstock\"").code, 0);
  EXPECT_EQ(penstock("cache ls --json --store \"$PWD/.penstock\"").code, 0);

  const Ran unpacked =
      run("python3 -m zipfile -e .penstock/objects/*/files/archive.zip real && mkdir linked && "
          "for one in $(ls real | head -4); do ln -s ../real/$one linked/; done && cp -rs "
          "\"$PWD/$(ls -d real/* | tail -1)\" linked/ && mkdir odd && cp real/*/images/*.png odd/ && "
          "mv odd/$(ls odd | head -1) odd/$(printf 'k\\344se.png')",
          work);
  ASSERT_EQ(unpacked.code, 0) << unpacked.error;
  const Ran linked = penstock("predict runs/small linked --output predicted");
  EXPECT_EQ(linked.code, 0) << linked.error;
  EXPECT_THAT(linked.error, HasSubstr("5 images"));
  const Ran odd = penstock("predict runs/small odd --output odd-predicted");
  EXPECT_EQ(odd.code, 65) << odd.error;
  EXPECT_THAT(odd.error, AllOf(HasSubstr("odd/k\\xE4se.png"), HasSubstr("not UTF-8")));
  ASSERT_EQ(mkfifo((work / "pipe.png").c_str(), 0644), 0);
  const Ran fifo = penstock("predict runs/small pipe.png --output fifo-predicted");
  EXPECT_EQ(fifo.code, 65) << fifo.error;
  EXPECT_THAT(fifo.error, HasSubstr("pipe.png: is a FIFO"));
}

}  // namespace
}  // namespace penstock
