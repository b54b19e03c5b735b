// Which weights a training takes from a model or file that it is given, and what it says of the others.
#include "stages/compute/training/initial_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/error.h"
#include "stages/packs/pack.h"
#include "temporary_folder.h"

namespace penstock::stages {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Architecture given{3, 4, 2, "batch", 0};

Architecture with_two_outputs() {
  Architecture architecture = given;
  architecture.out_channels = 2;
  return architecture;
}

// Weights whose every element is this.
Weights all_of(const FlatLayout& layout, float value) {
  return {std::vector<float>(static_cast<size_t>(layout.parameter_count), value),
          std::vector<float>(static_cast<size_t>(layout.statistic_count), value)};
}

class InitialWeightsTest : public testing::Test {
 protected:
  InitialWeightsTest() {
    ModelDescription model;
    model.architecture = given;
    model.width = model.height = 16;
    const FlatLayout layout = layout_of(*make_network(given));
    write_model(folder_.path(), model, layout, all_of(layout, 7));
  }

  // What a network with other outputs starts from; of itself it is 1 everywhere.
  InitialWeights taken(const std::string& layers, const std::filesystem::path& from) const {
    return initial_weights(from, layout_, all_of(layout_, 1), layers);
  }
  std::string refusal(const std::string& layers, const std::filesystem::path& from) const {
    try {
      taken(layers, from);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  float value_of(const InitialWeights& initial, const std::string& name) const {
    for (const auto& slot : layout_.parameters) {
      if (slot.name == name) return initial.weights.parameters[static_cast<size_t>(slot.offset)];
    }
    ADD_FAILURE() << name;
    return 0;
  }

  TemporaryFolder folder_;
  const FlatLayout layout_ = layout_of(*make_network(with_two_outputs()));
};

TEST_F(InitialWeightsTest, MatchingOnesAreTakenAndTheOthersNamed) {
  const InitialWeights initial = taken("matching", folder_.path());
  EXPECT_EQ(value_of(initial, "down0_conv1.weight"), 7);
  EXPECT_EQ(value_of(initial, "up0.weight"), 7);
  EXPECT_EQ(value_of(initial, "output.weight"), 1);
  EXPECT_EQ(initial.weights.statistics, all_of(layout_, 7).statistics);
  EXPECT_THAT(described(initial, folder_.path()),
              AllOf(HasSubstr("from the seed: output.weight ([1, 4, 1, 1] there, [2, 4, 1, 1] here), output.bias ([1] "
                              "there, [2] here)"),
                    HasSubstr("from " + folder_.path().string())));
}

TEST_F(InitialWeightsTest, OfTheEncoderAloneTheWayUpStartsAnew) {
  const InitialWeights initial = taken("encoder", folder_.path());
  EXPECT_EQ(value_of(initial, "bottom_conv2.weight"), 7);
  EXPECT_EQ(value_of(initial, "up0.weight"), 1);
  EXPECT_THAT(described(initial, folder_.path()), HasSubstr("up1.weight (not of the encoder)"));
}

TEST_F(InitialWeightsTest, AllRefusesANetworkThatDiffersAndSaysWhere) {
  EXPECT_THAT(refusal("all", folder_.path()),
              AllOf(HasSubstr("2 of the network's"), HasSubstr("output.weight ([1, 4, 1, 1] there"),
                    HasSubstr("init_layers to \"matching\"")));
}

TEST_F(InitialWeightsTest, ASafetensorsFileOfAnotherProgramWillDo) {
  const TemporaryFolder elsewhere;
  PackWriter pack("x");
  const std::vector<float> values(3 * 4 * 9, 5);
  pack.add("down0_conv1.weight", Element::f32, {4, 3, 3, 3},
           {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  pack.add("head.weight", Element::f32, {1}, {reinterpret_cast<const uint8_t*>(values.data()), sizeof(float)});
  const auto file = elsewhere.path() / "other.safetensors";
  pack.write(file);
  for (const auto& from : {file, elsewhere.path()}) {
    const InitialWeights initial = taken("matching", from);
    EXPECT_EQ(initial.taken, 1u);
    EXPECT_EQ(value_of(initial, "down0_conv1.weight"), 5);
    EXPECT_THAT(described(initial, from), HasSubstr("not used: head.weight"));
  }
  std::filesystem::copy(file, elsewhere.path() / "another.safetensors");
  EXPECT_THAT(refusal("matching", elsewhere.path()), HasSubstr("this folder holds 2 safetensors files"));
}

TEST_F(InitialWeightsTest, AFileWithoutAnyOfThemIsRefused) {
  const TemporaryFolder elsewhere;
  PackWriter pack("x");
  const float value = 1;
  pack.add("other", Element::f32, {1}, {reinterpret_cast<const uint8_t*>(&value), sizeof value});
  pack.write(elsewhere.path() / "other.safetensors");
  EXPECT_THAT(refusal("matching", elsewhere.path()), HasSubstr("no tensor of the network is in it"));
}

}  // namespace
}  // namespace penstock::stages
