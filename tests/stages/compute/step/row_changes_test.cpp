// Random changes of crops: what is drawn, and what a batch then shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <set>

#include "distributed/local_communicator.h"
#include "stages/arithmetic/device_sampling.h"
#include "stages/compute/step/device_step.h"
#include "stages/compute/step/host_device.h"
#include "stages/compute/step/host_step.h"
#include "stages/compute/step/row_changes.h"
#include "stages/compute/step/small_training.h"
#include "stages/compute/training/checkpoint.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

using distributed::Communicator;

constexpr int window = 32;
const InputShape square{window, window, 3};

std::vector<std::string> all_names() { return names_of(augmentation_rules()); }

// What many crops draw with one augmentation at its usual strength.
std::vector<CropChange> many(const std::string& name, double strength, const PictureTraits& picture = {}) {
  std::vector<CropChange> drawn;
  for (int number = 0; number < 4000; ++number) {
    drawn.push_back(draw_change({false, false, {{name, strength}}}, picture, [&](const std::string& purpose) {
      return crop_draws(4, purpose, 1, "a sample", number);
    }));
  }
  return drawn;
}

// Whether `figure` of many crops lies evenly in [low, high].
void expect_even(const std::vector<CropChange>& drawn, double low, double high, double (*figure)(const CropChange&)) {
  double sum = 0, least = high, most = low;
  for (const CropChange& change : drawn) {
    const double value = figure(change);
    EXPECT_TRUE(value >= low && value <= high) << value;
    sum += value, least = std::min(least, value), most = std::max(most, value);
  }
  EXPECT_NEAR(sum / static_cast<double>(drawn.size()), (low + high) / 2, (high - low) * 0.02);
  EXPECT_LT(least, low + (high - low) * 0.01);
  EXPECT_GT(most, high - (high - low) * 0.01);
}

double share(const std::vector<CropChange>& drawn, bool (*is)(const CropChange&)) {
  double count = 0;
  for (const CropChange& change : drawn) count += is(change);
  return count / static_cast<double>(drawn.size());
}

TEST(ChangeDraws, ThereIsOneForEachAugmentationWithAStrength) {
  std::set<std::string> named, drawn;
  for (const AugmentationRule& rule : augmentation_rules()) {
    EXPECT_EQ(rule.strength.empty(), rule.enables != nullptr) << rule.name;
    if (!rule.strength.empty()) named.insert(rule.name);
  }
  for (const ChangeDraw& draw : change_draws()) drawn.insert(draw.name);
  EXPECT_EQ(named, drawn);
}

TEST(ChangeDraws, GeometryIsEvenWithinItsStrength) {
  expect_even(many("scale", 1), -1, 1, [](const CropChange& c) { return std::log2(c.zoom); });
  expect_even(many("rotate", 180), -std::numbers::pi, std::numbers::pi, [](const CropChange& c) { return c.angle; });
  expect_even(many("shear", 0.2), -0.2, 0.2, [](const CropChange& c) { return c.shear; });
}

TEST(ChangeDraws, BendsAreEvenWithinTheirStrengthAndNoTwoAlike) {
  const auto drawn = many("elastic", 3);
  expect_even(drawn, 0, 3, [](const CropChange& c) { return c.bend; });
  std::set<uint64_t> keys;
  for (const CropChange& change : drawn) keys.insert(change.bend_key);
  EXPECT_EQ(keys.size(), drawn.size());
}

TEST(ChangeDraws, ValuesAreEvenWithinTheirStrength) {
  expect_even(many("gamma", 0.7), -0.7, 0.7, [](const CropChange& c) { return std::log2(c.values.gamma); });
  expect_even(many("gain", 0.3), -0.3, 0.3, [](const CropChange& c) { return std::log2(c.values.gain); });
  expect_even(many("offset", 0.1), -0.1, 0.1, [](const CropChange& c) { return c.values.offset; });
}

TEST(ChangeDraws, SomeCropsAreInvertedGreyBlurredOrNoisy) {
  EXPECT_NEAR(share(many("invert", 0.15), [](const CropChange& c) { return c.values.inverts == 1; }), 0.15, 0.02);
  EXPECT_NEAR(share(many("grey", 0.3), [](const CropChange& c) { return c.colours[0] != 1; }), 0.3, 0.03);
  EXPECT_NEAR(share(many("blur", 1.5), [](const CropChange& c) { return c.blur > 0; }), 0.2, 0.02);
  EXPECT_NEAR(share(many("blur", 1.5), [](const CropChange& c) { return c.blur > 0.75; }), 0.1, 0.02);
  EXPECT_NEAR(share(many("noise", 0.05), [](const CropChange& c) { return c.noise > 0; }), 0.3, 0.03);
  EXPECT_EQ(share(many("noise", 0.05), [](const CropChange& c) { return c.noise > 0.05; }), 0);
}

TEST(ChangeDraws, EveryFifthCropHasItsContrastEvenedOut) {
  const auto drawn = many("clahe", 3);
  EXPECT_NEAR(share(drawn, [](const CropChange& c) { return c.clip > 0; }), 0.2, 0.02);
  EXPECT_NEAR(share(drawn, [](const CropChange& c) { return c.clip > 1.5; }), 0.1, 0.02);
  EXPECT_EQ(share(drawn, [](const CropChange& c) { return c.clip > 3; }), 0);
}

TEST(ChangeDraws, OnlyBrightPicturesAreInvertedTowardsDark) {
  const auto inverted = [](const CropChange& c) { return c.values.inverts == 1; };
  EXPECT_EQ(share(many("invert_bright", 0.3, {.bright = false}), inverted), 0);
  EXPECT_NEAR(share(many("invert_bright", 0.3, {.bright = true}), inverted), 0.3, 0.03);
  auto samples = some_samples(1);
  EXPECT_FALSE(StepSamples(samples, grid, Normaliser{}).look(0).traits.bright);
  for (uint8_t& value : samples[0].image) value = static_cast<uint8_t>(255 - value);
  EXPECT_TRUE(StepSamples(samples, grid, Normaliser{}).look(0).traits.bright);
}

TEST(ChangeDraws, MixedColoursKeepGrey) {
  for (const CropChange& change : many("colour", 0.2)) {
    for (size_t row = 0; row < 3; ++row)
      EXPECT_NEAR(change.colours[row * 3] + change.colours[row * 3 + 1] + change.colours[row * 3 + 2], 1, 1e-12);
  }
}

TEST(ChangeDraws, OnlyColouredPicturesHaveTheirStainsChanged) {
  const auto unchanged = [](const CropChange& c) { return c == CropChange{}; };
  EXPECT_EQ(share(many("stain", 0.2, {.bright = true}), unchanged), 1);
  const auto drawn = many("stain", 0.2, {.coloured = true});
  expect_even(drawn, 0.8, 1.2, [](const CropChange& c) { return c.stain_gain[1]; });
  expect_even(drawn, -0.2, 0.2, [](const CropChange& c) { return c.stain_shift[2]; });
  auto samples = some_samples(1);
  for (size_t i = 0; i < samples[0].image.size(); ++i) samples[0].image[i] = samples[0].image[i / 3 * 3];  // grey
  EXPECT_FALSE(StepSamples(samples, grid, Normaliser{}).look(0).traits.coloured);
  for (size_t i = 0; i < samples[0].image.size(); i += 3) samples[0].image[i] ^= 64;
  EXPECT_TRUE(StepSamples(samples, grid, Normaliser{}).look(0).traits.coloured);
}

TEST(ChangeDraws, OneDoesNotDependOnWhichOthersAreChosen) {
  const auto draws_of = [](const std::string& purpose) { return crop_draws(4, purpose, 1, "a sample", 2); };
  const CropChange alone = draw_change(augmentation_of({"gamma"}), {}, draws_of),
                   among = draw_change(augmentation_of(all_names()), {}, draws_of);
  EXPECT_EQ(alone.values.gamma, among.values.gamma);
  EXPECT_NE(alone.values.gamma, 1);
}

// ---- what a batch shows ----

Batch shown(const StepSamples& data, const std::vector<BatchRow>& rows,
            const TargetList& targets = target_list({"mask"})) {
  Batch batch = make_batch(static_cast<int64_t>(rows.size()), data.input(), targets);
  fill_batch(batch, data, rows);
  return batch;
}

BatchRow changed(const CropChange& change, int top = 0, int left = 0, const Normaliser& normaliser = {}) {
  BatchRow row{0, top, left, window, window, 0};
  row.change = row_change_of(change, normaliser);
  return row;
}

// A disc of this radius about a place in a dark picture, as bright as it is labelled.
std::vector<GridSample> disc(double y0, double x0, double radius, int side_length = 96) {
  GridSample sample;
  sample.id = "disc", sample.height = sample.width = side_length;
  for (int y = 0; y < side_length; ++y) {
    for (int x = 0; x < side_length; ++x) {
      const bool in = std::hypot(y - y0, x - x0) <= radius;
      sample.mask.push_back(in);
      sample.image.insert(sample.image.end(), 3, in ? 255 : 0);
    }
  }
  return {sample};
}

TEST(ChangedRows, WithStrengthsOfZeroAreThePlainOnes) {
  const auto samples = pictures(3, 60);
  const StepSamples data(samples, square, Normaliser{});
  Strengths none;
  for (const auto& [name, strength] : usual_strengths()) none[name] = 0;
  for (int epoch = 0; epoch < 50; ++epoch)
    EXPECT_EQ(data.drawn(0, {augmentation_of(all_names(), none), 3, 0}, epoch).change.active, 0);
}

TEST(ChangedRows, OfTheIdentityShowWhatPlainRowsShowToTheBit) {
  const auto samples = pictures(4, 60);
  for (const char* kind : {"unit", "percentile"}) {
    const StepSamples data(samples, square, make_normaliser(kind, {}, 3));
    std::vector<BatchRow> plain, through;
    for (int i = 0; i < 24; ++i) {
      plain.push_back({i % 4, i * 3 - 20, 30 - i * 4, window, window, i % 8});
      through.push_back(plain.back());
      through.back().change.active = 1;
    }
    const Batch expected = shown(data, plain), found = shown(data, through);
    EXPECT_TRUE(torch::equal(found.images, expected.images)) << kind;
    EXPECT_TRUE(torch::equal(found.targets, expected.targets)) << kind;
  }
}

TEST(ChangedRows, TurnedByAQuarterAreAQuarterTurn) {
  const auto samples = pictures(1, 80);
  const StepSamples data(samples, square, Normaliser{});
  CropChange quarter;
  quarter.angle = std::numbers::pi / 2;
  const Batch turned_freely = shown(data, {changed(quarter, -5, 9)});
  std::vector<BatchRow> turns;
  for (int orientation = 0; orientation < 8; ++orientation) turns.push_back({0, -5, 9, window, window, orientation});
  const Batch all = shown(data, turns);
  int equal = 0;
  for (int i = 0; i < 8; ++i) {
    equal +=
        torch::equal(all.images[i], turned_freely.images[0]) && torch::equal(all.targets[i], turned_freely.targets[0]);
  }
  EXPECT_EQ(equal, 1);
}

// A disc 10 pixels to the right of the window's centre, enlarged and turned.
TEST(ChangedRows, AScaledAndTurnedDrawingLandsWhereItShould) {
  const auto samples = disc(47.5, 51.5, 3);  // the window of 32 at 32 has its centre at 47.5
  const StepSamples data(samples, square, Normaliser{});
  CropChange change;
  change.zoom = 2, change.angle = std::numbers::pi / 6;
  const auto mask = shown(data, {changed(change, 32, 32)}).targets[0][0];
  double count = 0, y = 0, x = 0;
  for (int i = 0; i < window; ++i) {
    for (int j = 0; j < window; ++j) {
      if (mask[i][j].item<float>() > 0) ++count, y += i - 15.5, x += j - 15.5;
    }
  }
  const double before = static_cast<double>(std::count(samples[0].mask.begin(), samples[0].mask.end(), 1));
  EXPECT_NEAR(count / before, 4, 0.2) << "twice the radius";
  EXPECT_NEAR(std::hypot(y / count, x / count), 8, 0.3) << "twice the distance";
  EXPECT_NEAR(std::atan2(-y / count, x / count) * 180 / std::numbers::pi, 30, 3) << "anticlockwise";
}

TEST(ChangedRows, ImageAndLabelsStayAligned) {
  const auto samples = disc(40, 52, 14);
  const StepSamples data(samples, square, Normaliser{});
  for (int number = 0; number < 40; ++number) {
    const CropChange change =
        draw_change(augmentation_of({"scale", "rotate", "shear", "elastic"}), {},
                    [&](const std::string& purpose) { return crop_draws(9, purpose, 0, "disc", number); });
    const Batch batch = shown(data, {changed(change, 30, 30)});
    // A corner of the disc differs by 3/4 at most where the image is between pixels and the label is the nearest's.
    const auto apart = (batch.images[0][0] - batch.targets[0][0]).abs() > 0.8;
    EXPECT_EQ(apart.sum().item<int64_t>(), 0) << number;
    const double area = batch.targets.sum().item<double>();
    EXPECT_NEAR(batch.images[0][0].sum().item<double>() / area, 1, 0.06) << number;
  }
}

// The nodes' displacements have this deviation; between them the spline averages.
TEST(ChangedRows, ABentRowMovesItsPixelsSmoothly) {
  constexpr int side = 128;
  double squares = 0, steepest = 0;
  int count = 0;
  for (uint64_t key = 1; key <= 20; ++key) {
    CropChange change;
    change.bend = 4, change.bend_key = key;  // the most that train.augmentation.elastic takes
    BatchRow row{0, 0, 0, side, side, 0};
    row.change = row_change_of(change, Normaliser{});
    ASSERT_EQ(row.change.active, 1);
    const auto moved = [&](int y, int x) {
      const SamplePosition d = position_of(y, x, side, side, row) - straight_position_of(y, x, side, side, row);
      return std::pair(static_cast<double>(d.y) / 65536, static_cast<double>(d.x) / 65536);
    };
    for (int y = 0; y + 1 < side; ++y) {
      for (int x = 0; x + 1 < side; ++x) {
        const auto here = moved(y, x), right = moved(y, x + 1), below = moved(y + 1, x);
        squares += here.first * here.first + here.second * here.second, count += 2;
        for (const double slope : {right.first - here.first, right.second - here.second, below.first - here.first,
                                   below.second - here.second})
          steepest = std::max(steepest, std::abs(slope));
      }
    }
  }
  // In each direction the squares of the weights add up to 1/2 at a node, to 0.46 between two.
  EXPECT_NEAR(std::sqrt(squares / count), 4 * 0.479, 0.15);
  EXPECT_GT(steepest, 0.1);
  EXPECT_LT(steepest, 1) << "no line runs backwards";
}

TEST(ChangedRows, ABendGoesWithItsRowWhateverTheRowsOrientation) {
  const auto samples = pictures(1, 200);
  const StepSamples data(samples, square, Normaliser{});
  CropChange change;
  change.bend = 3, change.bend_key = 5;
  BatchRow row = changed(change, 40, 50);
  const auto upright = shown(data, {row}).images[0];
  for (int orientation = 0; orientation < 8; ++orientation) {
    row.orientation = orientation;
    auto turned_back = shown(data, {row}).images[0];
    if (orientation & flip_x_bit) turned_back = turned_back.flip(2);
    if (orientation & flip_y_bit) turned_back = turned_back.flip(1);
    if (orientation & transpose_bit) turned_back = turned_back.transpose(1, 2);
    EXPECT_TRUE(torch::equal(turned_back, upright)) << orientation;
  }
}

TEST(ChangedRows, ValuesChangeInTheOrderGammaInversionGainOffset) {
  auto samples = disc(0, 0, 0);
  for (uint8_t& value : samples[0].image) value = 51;  // 0.2
  const StepSamples data(samples, square, Normaliser{});
  CropChange change;
  change.values = {2, 1, 1.5, 0.1};
  EXPECT_NEAR(shown(data, {changed(change)}).images.max().item<double>(), (1 - 0.04) * 1.5 + 0.1, 1e-6);
}

TEST(ChangedRows, ColoursAreTakenAwayOnTheScaleOfThePicture) {
  const auto samples = pictures(4, 60);
  std::vector<const std::vector<uint8_t>*> images;
  for (const GridSample& sample : samples) images.push_back(&sample.image);
  CropChange grey;
  grey.colours = {0.299, 0.587, 0.114, 0.299, 0.587, 0.114, 0.299, 0.587, 0.114};
  for (const char* kind : {"unit", "zscore"}) {
    const Normaliser normaliser = make_normaliser(kind, images, 3);
    const StepSamples data(samples, square, normaliser);
    const auto values = shown(data, {changed(grey, 0, 0, normaliser)}).images[0];
    const auto original = [&](int c) {
      return kind == std::string("unit") ? values[c] : values[c] * normaliser.sd[c] + normaliser.mean[c];
    };
    EXPECT_LT((original(0) - original(1)).abs().max().item<double>(), 1e-6) << kind;
    EXPECT_LT((original(0) - original(2)).abs().max().item<double>(), 1e-6) << kind;
  }
}

// A picture each of whose tiles holds 64 values once, from `left` on in its left half and from `right` on in its right.
std::vector<GridSample> ramps(int left, int right) {
  auto samples = disc(0, 0, 0, window);
  constexpr int tile = window / row_tiles;
  for (int y = 0; y < window; ++y) {
    for (int x = 0; x < window; ++x) {
      const int value = (x < window / 2 ? left : right) + x % tile * tile + y % tile;
      std::fill_n(samples[0].image.begin() + (y * window + x) * 3, 3, static_cast<uint8_t>(value));
    }
  }
  return samples;
}

// A tile's 64 values have counts of 4 times their mean: clipped at 2, half of each is spread over 256.
TEST(ChangedRows, EvenedOutContrastIsTheShareOfDarkerPixels) {
  const auto samples = ramps(0, 0);
  CropChange change;
  change.clip = 2;
  const auto values = shown(StepSamples(samples, square, Normaliser{}), {changed(change)}).images[0];
  for (int y = 0; y < window; ++y) {
    for (int x = 0; x < window; ++x) {
      const double value = samples[0].image[static_cast<size_t>(y * window + x) * 3];
      ASSERT_NEAR(values[1][y][x].item<double>(), (value + 0.5) * (2 + 0.5) / 256, 1e-5) << y << ", " << x;
    }
  }
}

TEST(ChangedRows, EvenedOutContrastIsOfTheTilesAround) {
  const auto samples = ramps(0, 192);
  CropChange change;
  change.clip = 256;  // nothing is clipped
  const auto values = shown(StepSamples(samples, square, Normaliser{}), {changed(change)}).images[0];
  const auto expected = [&](int y, int x, int least) {
    return (samples[0].image[static_cast<size_t>(y * window + x) * 3] - least + 0.5) / 64;
  };
  for (int y = 0; y < window; ++y) {
    for (const int x : {0, 3, 7})
      ASSERT_NEAR(values[0][y][x].item<double>(), expected(y, x, 0), 1e-5) << y << ", " << x;
    for (const int x : {24, 29, 31})
      ASSERT_NEAR(values[0][y][x].item<double>(), expected(y, x, 192), 1e-5) << y << ", " << x;
    // Centres of tiles lie at 11.5 and 19.5; what is above all values of a tile is 1 there, what is below them 0.
    const double own = expected(y, 14, 0), share_of_right = (14 - 11.5) / 8;
    ASSERT_NEAR(values[0][y][14].item<double>(), own * (1 - share_of_right), 1e-5) << y;
  }
}

TEST(ChangedRows, AClipNearZeroSpreadsAllCountsAndChangesNothing) {
  const auto samples = pictures(1, 60);
  const StepSamples data(samples, square, Normaliser{});
  CropChange change;
  change.clip = 1e-6;
  const auto plain = shown(data, {{0, 0, 0, window, window, 0}}).images, evened = shown(data, {changed(change)}).images;
  EXPECT_LT((plain - evened).abs().max().item<double>(), 0.5 / 255 + 1e-4);
}

// A picture of one colour, and what a change of its stains makes of it; the amounts of the three dyes are stated, not
// taken from the picture.
struct Dyed {
  std::array<double, 3> amounts = {0.5, 0.3, 0.1};

  // Red, green and blue of so much haematoxylin, eosin and diaminobenzidine (Ruifrok and Johnston 2001).
  static std::array<double, 3> colour_of(const std::array<double, 3>& amounts) {
    constexpr double absorbed[3][3] = {{0.65, 0.70, 0.29}, {0.07, 0.99, 0.11}, {0.27, 0.57, 0.78}};
    std::array<double, 3> colour;
    for (size_t c = 0; c < 3; ++c) {
      colour[c] = std::exp(-amounts[0] * absorbed[0][c] - amounts[1] * absorbed[1][c] - amounts[2] * absorbed[2][c]);
    }
    return colour;
  }
  std::vector<GridSample> samples() const {
    auto all = disc(0, 0, 0);
    const auto colour = colour_of(amounts);
    for (size_t i = 0; i < all[0].image.size(); ++i)
      all[0].image[i] = static_cast<uint8_t>(std::lround(255 * colour[i % 3]));
    return all;
  }
};

TEST(ChangedRows, StainsChangeTheAmountOfEachDye) {
  const Dyed dyed;
  const auto samples = dyed.samples();
  CropChange change;
  change.stain_gain = {1.2, 0.7, 1.1}, change.stain_shift = {0.05, -0.1, 0.2};
  std::array<double, 3> amounts = dyed.amounts;
  for (size_t dye = 0; dye < 3; ++dye) amounts[dye] = amounts[dye] * change.stain_gain[dye] + change.stain_shift[dye];
  const auto expected = Dyed::colour_of(amounts);
  for (const char* kind : {"unit", "zscore"}) {
    const Normaliser normaliser = make_normaliser(kind, {&samples[0].image}, 3);
    const StepSamples data(samples, square, normaliser);
    const auto values = shown(data, {changed(change, 0, 0, normaliser)}).images[0];
    for (int c = 0; c < 3; ++c) {
      double value = values[c][5][7].item<double>();
      if (kind == std::string("zscore")) value = value * normaliser.sd[c] + normaliser.mean[c];
      EXPECT_NEAR(value, expected[static_cast<size_t>(c)], 0.01) << kind << ", channel " << c;  // of bytes
    }
  }
}

TEST(ChangedRows, AnInvertedPicturesStainsStay) {
  const auto samples = Dyed{}.samples();
  const StepSamples data(samples, square, Normaliser{});
  CropChange inverted, both;
  inverted.values.inverts = both.values.inverts = 1, both.stain_gain = {2, 2, 2};
  EXPECT_TRUE(torch::equal(shown(data, {changed(both)}).images, shown(data, {changed(inverted)}).images));
}

TEST(ChangedRows, TheLightThatPassesADensityIsItsExponential) {
  for (double density = -10; density < 80; density += 0.0137) {
    const float passed = transmitted(static_cast<float>(density));
    EXPECT_NEAR(passed / std::exp(-static_cast<double>(static_cast<float>(density))), 1, 1e-5) << density;
  }
}

TEST(ChangedRows, BlurKeepsTheMeanAndNoiseHasItsDeviation) {
  const auto samples = disc(16, 16, 6, window);
  const StepSamples data(samples, square, Normaliser{});
  CropChange blurs, noisy;
  blurs.blur = 1.2, noisy.noise = 0.05, noisy.noise_key = 77;
  const auto plain = shown(data, {{0, 0, 0, window, window, 0}}).images;
  const auto soft = shown(data, {changed(blurs)}).images, rough = shown(data, {changed(noisy)}).images - plain;
  EXPECT_NEAR(soft.mean().item<double>(), plain.mean().item<double>(), 1e-5);
  EXPECT_LT(soft.std().item<double>(), 0.95 * plain.std().item<double>());
  EXPECT_NEAR(rough.std().item<double>(), 0.05, 0.003);
  EXPECT_NEAR(rough.mean().item<double>(), 0, 0.004);
  EXPECT_LT(rough.abs().max().item<double>(), 0.05 * 3.5);
}

TEST(ChangedRows, ADeviceGathersThemToTheBit) {
  const TargetList targets =
      with_nearness(target_list({"mask", "border", "interior", "distance", "horizontal", "vertical"}, {2, 3, 6}), 4);
  for (const auto& [channels, bits] : {std::pair(1, 8), std::pair(3, 8), std::pair(4, 8), std::pair(3, 16)}) {
    auto samples = pictures(5, 90);
    give_objects(samples);
    for (GridSample& sample : samples) {
      const Draws draws(channels, sample.id);
      sample.image.resize(sample.mask.size() * static_cast<size_t>(channels * bits / 8));
      for (size_t i = 0; i < sample.image.size(); ++i) sample.image[i] = static_cast<uint8_t>(draws.below(i, 256));
    }
    std::vector<const std::vector<uint8_t>*> images;
    for (const GridSample& sample : samples) images.push_back(&sample.image);
    auto names = all_names();
    std::erase_if(names, [&, colours = channels == 3](const std::string& name) {
      return !colours && !augmentation_of_colours({name}).empty();
    });
    const CropRules rules{augmentation_of(names), 7, 0};
    for (const char* kind : {"unit", "zscore", "percentile"}) {
      const StepSamples data(samples, {window, window, channels, bits}, make_normaliser(kind, images, channels));
      const auto ranks = distributed::local_world(1);
      const auto device = host_device(*ranks[0], 1);
      constexpr int count = 60;
      DeviceBatch batch(data.input(), targets, *device, count, count, rules.augmentation);
      batch.make(false);
      std::vector<BatchRow> rows;
      for (int i = 0; i < count; ++i) {
        rows.push_back(data.drawn(i % static_cast<int>(data.crops().size()), rules, i));
        batch.list(i, rows.back(), data);
      }
      batch.copy_orders();
      batch.gather(batch.resident(data), 0);
      const Batch expected = shown(data, rows, targets);
      EXPECT_TRUE(torch::equal(batch.images(), expected.images)) << kind << ", " << channels << " channels";
      EXPECT_TRUE(torch::equal(batch.targets(), expected.targets)) << kind << ", " << channels << " channels";
    }
  }
}

TEST(ChangedRows, OfBytesIn16BitsAreThoseOfTheBytesToTheBit) {
  auto samples = pictures(5, 90), wide = pictures(5, 90);
  std::vector<const std::vector<uint8_t>*> images;
  for (size_t i = 0; i < samples.size(); ++i) {
    images.push_back(&samples[i].image);
    wide[i].image = widened(samples[i].image);
  }
  const CropRules rules{augmentation_of(all_names()), 7, 0.5};
  for (const char* kind : {"unit", "zscore", "percentile"}) {
    const Normaliser normaliser = make_normaliser(kind, images, 3);
    const StepSamples narrow(samples, square, normaliser), data(wide, {window, window, 3, 16}, normaliser);
    std::vector<BatchRow> rows, same;
    for (int i = 0; i < 60; ++i) {
      const int crop = i % static_cast<int>(data.crops().size());
      rows.push_back(data.drawn(crop, rules, i)), same.push_back(narrow.drawn(crop, rules, i));
      if (i % 4 == 0) rows.back().change = same.back().change = {};
    }
    EXPECT_TRUE(torch::equal(shown(data, rows).images, shown(narrow, same).images)) << kind;
  }
}

TEST(ChangedRows, TrainToTheSameBitsForAnyRanksAndOnADeviceToRounding) {
  const auto samples = pictures(7, 60);
  TrainParameters parameters = tiny();
  parameters.optimizer = "sgd", parameters.augment = all_names();
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6};
  std::set<std::string> digests;
  std::vector<float> host, device;
  std::mutex mutex;
  for (const auto& [ranks, threads] : {std::pair(1, 1), std::pair(2, 2), std::pair(3, 1)}) {
    distributed::run_local_ranks(ranks, [&, threads = threads](Communicator& communicator) {
      HostStep step(parameters, {3, 4, 2, "batch", 0}, grid, Normaliser{}, communicator, threads, {});
      for (int i = 0; i < 3; ++i) step.step(samples, order, i, 0, 1e-2, false);
      const std::lock_guard lock(mutex);
      host = step.current_weights().parameters;
      digests.insert(digest_of_weights(host, {}).hex());
    });
  }
  EXPECT_EQ(digests.size(), 1u);
  const auto alone = distributed::local_world(1);
  DeviceStep step(parameters, {3, 4, 2, "batch", 0}, grid, Normaliser{}, *alone[0], host_device(*alone[0], 1),
                  {distributed::Reproducible::run});
  for (int i = 0; i < 3; ++i) step.step(samples, order, i, 0, 1e-2, false);
  device = step.current_weights().parameters;
  double apart = 0;
  for (size_t i = 0; i < host.size(); ++i) apart = std::max(apart, std::abs(double{host[i]} - device[i]));
  EXPECT_LT(apart, 1e-4);
}

}  // namespace
}  // namespace penstock::stages
