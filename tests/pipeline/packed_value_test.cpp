#include "pipeline/packed_value.h"

#include <gtest/gtest.h>

#include "pipeline/run/stage_order.h"

namespace penstock::pipeline {
namespace {

TEST(PackedValue, NumbersWordsAndBytesComeBackAsTheyWere) {
  const Value value = {{"path", "/data/k\xE4se"},     {"lr", 1e-3},  {"tiny", 5e-324},
                       {"big", int64_t{1} << 62},     {"minus", -3}, {"one", 1.0},
                       {"list", {true, nullptr, "x"}}};
  const Value back = unpacked(packed(value));
  EXPECT_EQ(back, value);
  EXPECT_TRUE(back.at("one").is_number_float());
  EXPECT_TRUE(back.at("minus").is_number_integer());
}

TEST(PackedValue, AnOrderCarriesPathsOfAnyBytes) {
  StageOrder order;
  order.node = 3;
  order.call.inputs["in"].push_back({"/data/k\xE4se", "run"});
  order.call.outputs["out"] = "/store/\xFF";
  order.outside.emplace_back("/data/k\xE4se", Digest());
  const StageOrder back = StageOrder::from_text(order.to_text());
  EXPECT_EQ(back.call.inputs.at("in").front().path, "/data/k\xE4se");
  EXPECT_EQ(back.call.outputs.at("out"), "/store/\xFF");
  EXPECT_EQ(back.outside.front().first, "/data/k\xE4se");
}

}  // namespace
}  // namespace penstock::pipeline
