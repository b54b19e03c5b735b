#include "stages/compute/model/model_input.h"

#include <gtest/gtest.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/packs/json_file.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using pipeline::Value;

TEST(ModelInput, IsReadBackAndTheDefaultLeavesTheDescriptionAsItIs) {
  const TemporaryFolder folder;
  const Value plain = {{"preprocessing", {{"width", 64}}}};
  write_json(folder.path() / "model.json", plain);
  write_model_input(folder.path(), {});
  EXPECT_EQ(read_json(folder.path() / "model.json"), plain);
  EXPECT_EQ(read_model_input(folder.path()), PictureRule{});
  const PictureRule rule{{PageChoice::How::mean}, {3, 1}, "percentile"};
  write_model_input(folder.path(), rule);
  EXPECT_EQ(read_model_input(folder.path()), rule);
}

TEST(ModelInput, OfABrokenDescriptionNamesTheFile) {
  const TemporaryFolder folder;
  pipeline::write_file(folder.path() / "model.json", "{\"preprocessing\": {\"input\": 3}}");
  try {
    read_model_input(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("model.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace penstock::stages
