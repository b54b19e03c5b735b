#include "stages/audit/audit.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "injected_faults.h"
#include "stages/audit/rules.h"
#include "stages/images/pixel_values.h"

namespace penstock::stages {

using pipeline::Value;

namespace {

std::vector<size_t> pixels_of(const LabelMap& map, Label label) {
  std::vector<size_t> pixels;
  for (size_t i = 0; i < map.labels.size(); ++i) {
    if (map.labels[i] == label) pixels.push_back(i);
  }
  return pixels;
}

Label largest_label(const LabelMap& map) {
  Label best = 1;
  for (Label label = 1; label <= 30; ++label) {
    if (pixels_of(map, label).size() > pixels_of(map, best).size()) best = label;
  }
  return best;
}

void shift_mask(FaultySample& sample, int dx, int dy) {
  const LabelMap before = sample.map;
  std::fill(sample.map.labels.begin(), sample.map.labels.end(), Label{0});
  for (int y = std::max(0, dy); y < before.height + std::min(0, dy); ++y) {
    for (int x = std::max(0, dx); x < before.width + std::min(0, dx); ++x)
      sample.map.labels[y * before.width + x] = before.labels[(y - dy) * before.width + x - dx];
  }
}

void set_picture(FaultySample& sample, uint8_t value) {
  std::fill(sample.picture.bytes.begin(), sample.picture.bytes.end(), value);
}

// The left and the right half of one picture of twice the side, cut to the side's height.
void cut_tiles(FaultySet& set, size_t at) {
  const int side = set[at].picture.width;
  const FaultySample whole = drawn_sample(77, static_cast<int64_t>(at), 2 * side, 1000);
  for (int tile = 0; tile < 2; ++tile) {
    FaultySample& sample = set[at + tile];
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const int from = y * 2 * side + x + tile * side;
        sample.picture.bytes[y * side + x] = whole.picture.bytes[from];
        sample.map.labels[y * side + x] = whole.map.labels[from];
      }
    }
  }
}

void turn(FaultySample& sample) {
  const FaultySample before = sample;
  const int side = before.picture.width;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      sample.picture.bytes[x * side + side - 1 - y] = before.picture.bytes[y * side + x];
      sample.map.labels[x * side + side - 1 - y] = before.map.labels[y * side + x];
    }
  }
}

void brighten(FaultySample& sample) {
  for (size_t i = 0; i < sample.picture.bytes.size(); ++i)
    sample.picture.bytes[i] =
        static_cast<uint8_t>(sample.picture.bytes[i] * 1.1 + 4 + static_cast<double>(i * 7919 % 5));
}

void erase_all_but(FaultySample& sample, Label label) {
  for (Label& one : sample.map.labels) one = one == label ? one : 0;
}

// A ring of the label around background, or two pieces of it.
void punch(FaultySample& sample, bool through) {
  const Label label = largest_label(sample.map);
  const auto pixels = pixels_of(sample.map, label);
  const auto middle = static_cast<int>(pixels[pixels.size() / 2] / sample.map.width);
  size_t left = sample.map.width, right = 0;
  for (const size_t pixel : pixels) {
    left = std::min(left, pixel % sample.map.width);
    right = std::max(right, pixel % sample.map.width);
  }
  const size_t centre = (left + right) / 2;
  for (const size_t pixel : pixels) {
    const int dy = static_cast<int>(pixel / sample.map.width) - middle;
    const int dx = static_cast<int>(pixel % sample.map.width) - static_cast<int>(centre);
    if (std::abs(dy) <= 1 && (through || std::abs(dx) <= 1)) sample.map.labels[pixel] = 0;
  }
}

}  // namespace

const std::vector<InjectedFault>& injected_faults() {
  static const std::vector<InjectedFault> all = {
      {"copy", "copies", [](FaultySet& set, size_t at) { set[at + 1] = set[at]; }},
      {"copy with another mask", "copies_differ",
       [](FaultySet& set, size_t at) { set[at + 1].picture = set[at].picture; }},
      {"brighter, noisy copy", "near_copies",
       [](FaultySet& set, size_t at) { set[at + 1] = set[at], brighten(set[at + 1]); }},
      {"turned copy", "near_copies", [](FaultySet& set, size_t at) { set[at + 1] = set[at], turn(set[at + 1]); }},
      {"mask given as picture", "picture_is_mask",
       [](FaultySet& set, size_t at) {
         for (size_t i = 0; i < set[at].map.labels.size(); ++i)
           set[at].picture.bytes[i] = set[at].map.labels[i] != 0 ? 255 : 0;
       }},
      {"blank picture", "blank_labelled",
       [](FaultySet& set, size_t at) { set[at].labelled = true, set_picture(set[at], 7); }},
      {"blank, unlabelled picture", "blank",
       [](FaultySet& set, size_t at) { set[at].labelled = false, set_picture(set[at], 7); }},
      {"overexposed picture", "saturated",
       [](FaultySet& set, size_t at) {
         for (uint8_t& value : set[at].picture.bytes) value = static_cast<uint8_t>(std::min(255, value * 10));
       }},
      {"overlapping masks", "overlapping", [](FaultySet& set, size_t at) { set[at].overlaps = 30; }},
      {"empty mask file", "empty", [](FaultySet& set, size_t at) { set[at].empty_masks = 1; }},
      {"no object", "empty", [](FaultySet& set, size_t at) { erase_all_but(set[at], 0); }},
      {"object in two pieces", "in_pieces", [](FaultySet& set, size_t at) { punch(set[at], true); }},
      {"object with a hole", "with_holes", [](FaultySet& set, size_t at) { punch(set[at], false); }},
      {"crumb of a mask", "tiny",
       [](FaultySet& set, size_t at) {
         auto& labels = set[at].map.labels;
         labels[std::find(labels.begin(), labels.end(), 0) - labels.begin()] = 999;
       }},
      {"object over most of the image", "giant",
       [](FaultySet& set, size_t at) {
         auto& labels = set[at].map.labels;
         std::fill(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(labels.size() * 6 / 10), 1);
       }},
      {"inverted mask", "inverted",
       [](FaultySet& set, size_t at) {
         for (Label& label : set[at].map.labels) label = label == 0 ? 1 : 0;
       }},
      {"most objects are missing", "unlike_otsu",
       [](FaultySet& set, size_t at) {
         for (size_t i = 0; i < set[at].picture.bytes.size(); ++i) {
           if (i % set[at].picture.width > 40 && set[at].map.labels[i] == 0) set[at].picture.bytes[i] = 120;
         }
       }},
      {"shifted mask", "shifted", [](FaultySet& set, size_t at) { shift_mask(set[at], 5, -4); }},
      {"another depth", "odd_depth", [](FaultySet& set, size_t at) { set[at].bits = 16; }},
      {"another size", "odd_size",
       [](FaultySet& set, size_t at) { set[at] = drawn_sample(5, static_cast<int64_t>(at), 96); }},
      {"another look", "odd_look", [](FaultySet& set, size_t at) { set[at].look = "stained"; }},
      {"tiles of one picture", "tiles", cut_tiles},
  };
  return all;
}

namespace {

std::set<std::string> named_by(const AuditedSet& set, const std::string& rule) {
  std::set<std::string> ids;
  const Value json = findings_json(set);
  for (const Value& finding : json.at("findings")) {
    if (finding.at("rule") != rule) continue;
    for (const Value& id : finding.at("samples")) ids.insert(id.get<std::string>());
  }
  return ids;
}

TEST(Audit, SaysNothingOfAWholeSet) {
  const Value findings = findings_json(audited(drawn_set(1, 60)));
  EXPECT_EQ(findings.at("findings"), Value::array());
  EXPECT_EQ(findings.at("rules").size(), audit_rules().size());
}

TEST(Audit, EveryRuleHasAFaultThatIsInjected) {
  std::set<std::string> rules, injected;
  for (const AuditRule& rule : audit_rules()) rules.insert(rule.name);
  for (const InjectedFault& fault : injected_faults()) injected.insert(fault.rule);
  EXPECT_EQ(rules, injected);
}

class Fault : public testing::TestWithParam<InjectedFault> {};

// Five faults of one kind among 60 samples: recall of each kind, and no other sample named by that rule.
TEST_P(Fault, IsFoundWhereverItIsAndNowhereElse) {
  const std::vector<size_t> places = {3, 14, 25, 36, 47};
  FaultySet set = drawn_set(2, 60);
  for (const size_t place : places) GetParam().inject(set, place);
  const auto named = named_by(audited(set), GetParam().rule);
  int found = 0;
  for (const size_t place : places) found += static_cast<int>(named.count(id_of(place)));
  int wrong = 0;
  for (const std::string& id : named) {
    const auto number = static_cast<size_t>(std::stoi(id.substr(1)));
    wrong += std::none_of(places.begin(), places.end(), [&](size_t p) { return number == p || number == p + 1; });
  }
  std::printf("%s: %s finds %d of 5, %d others\n", GetParam().name.c_str(), GetParam().rule.c_str(), found, wrong);
  EXPECT_EQ(found, 5);
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Audit, Fault, testing::ValuesIn(injected_faults()), [](const auto& fault) {
  std::string name;
  for (const char c : fault.param.name) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
});

TEST(Audit, FindingsNameFilesAndComeSevereFirst) {
  FaultySet set = drawn_set(3, 20);
  set[4].overlaps = 9;
  set[7].picture = set[5].picture;
  const Value findings = findings_json(audited(set)).at("findings");
  ASSERT_GE(findings.size(), 3u);
  EXPECT_EQ(findings[0].at("rule"), "copies_differ");
  EXPECT_EQ(findings[0].at("samples"), (Value{"s0005", "s0007"}));
  EXPECT_EQ(findings[0].at("files")[1], "s0007/images/s0007.png");
  EXPECT_THAT(
      findings_csv({{"findings", findings}}),
      testing::HasSubstr("\nsevere,copies_differ,2.0,s0007,s0007/images/s0007.png,\"2 pictures with the same pixels"));
}

TEST(Audit, ASevereFindingStopsUnlessItsRuleIsAllowed) {
  FaultySet set = drawn_set(3, 20);
  set[7].picture = set[5].picture;
  const Value findings = findings_json(audited(set));
  const Value clean = {{"passed", true}, {"problems", Value::array()}, {"warnings", Value::array()}};
  Value stopped = clean, allowed = clean;
  judge(stopped, findings, {});
  judge(allowed, findings, {"copies_differ"});
  EXPECT_FALSE(stopped.at("passed"));
  EXPECT_EQ(stopped.at("problems")[0].at("sample"), "s0005");
  EXPECT_THAT(stopped.at("problems")[0].at("problem").get<std::string>(),
              testing::HasSubstr("allow = [\"copies_differ\"]"));
  EXPECT_TRUE(allowed.at("passed"));
  EXPECT_EQ(allowed.at("warnings").size(), 3u) << "that rule, copies and unlike_otsu, once each";
}

TEST(Audit, PicturesOf16BitsAreCopiesWhereAllTheirBitsAreEqual) {
  FaultySet set = drawn_set(3, 20);
  Image deep = set[5].picture;
  deep.bytes = widened(deep.bytes), deep.bits = 16;
  for (const size_t i : {5, 7, 9}) set[i].picture = deep;
  ++set[9].picture.bytes[0];  // the same picture in whole bytes
  EXPECT_EQ(named_by(audited(set), "copies_differ"), (std::set<std::string>{"s0005", "s0007"}));
}

TEST(Audit, AGroupBearsTheNameOfItsFirstSample) {
  FaultySet set = drawn_set(4, 12);
  set[9] = set[2];
  cut_tiles(set, 4);
  const AuditedSet found = audited(set);
  EXPECT_EQ(found.group[9], 2u);
  EXPECT_EQ(found.group[5], 4u);
  EXPECT_EQ(found.group[7], 7u);
}

// Found as a corrupted heap: the counts had room for 65,535 objects.
TEST(Audit, MeasuresMasksOfMoreObjectsThan16BitsTellApart) {
  LabelMap map;
  map.width = 1000, map.height = 300;
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x)
      map.labels.push_back(x % 2 == 0 && y % 2 == 0 ? static_cast<Label>(1 + y / 2 * 500 + x / 2) : 0);
  }
  const MaskShape shape = shape_of(map);
  EXPECT_EQ(shape.objects, 75000);
  EXPECT_EQ(shape.foreground, 0.25);
  EXPECT_EQ(shape.in_pieces, 0);
}

TEST(Audit, MeasurementsComeBackFromTheirJson) {
  const AuditedSet set = audited(drawn_set(4, 1));
  const Value json = to_json(set.rows.front());
  EXPECT_EQ(to_json(measurements_from(Value::parse(json.dump()))), json);
}

TEST(Audit, EightOrientationsOfASquareAreAllDifferentAndTheFirstIsItself) {
  std::vector<uint8_t> square(thumbnail_side * thumbnail_side);
  for (size_t i = 0; i < square.size(); ++i) square[i] = static_cast<uint8_t>(i * 31 % 251);
  std::set<std::string> all;
  for (int i = 0; i < orientations; ++i) {
    const auto turned = oriented(square, i);
    all.emplace(turned.begin(), turned.end());
  }
  EXPECT_EQ(all.size(), 8u);
  EXPECT_EQ(oriented(square, 0), square);
}

}  // namespace
}  // namespace penstock::stages
