// The losses of training against their formulas, evaluated in double precision by plain loops, and their gradients
// against differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "stages/compute/step/losses.h"
#include "stages/compute/step/training_step.h"
#include "stages/draws.h"

namespace penstock::stages {
namespace {

// One sample's logits and mask.
struct Case {
  std::vector<double> z, t;
};

double p_of(double z) { return 1 / (1 + std::exp(-z)); }

double mean_of(const Case& c, const std::function<double(double p, double t)>& each) {
  double sum = 0;
  for (size_t i = 0; i < c.z.size(); ++i) sum += each(p_of(c.z[i]), c.t[i]);
  return sum / static_cast<double>(c.z.size());
}

double bce(const Case& c) {
  return mean_of(c, [](double p, double t) { return -t * std::log(p) - (1 - t) * std::log(1 - p); });
}

// 1 - (found + 1) / (found + false_weight * false + missed_weight * missed + 1)
double index_loss(const Case& c, double false_weight, double missed_weight, double smooth) {
  double found = 0, wrong = 0, missed = 0;
  for (size_t i = 0; i < c.z.size(); ++i) {
    const double p = p_of(c.z[i]);
    found += p * c.t[i], wrong += p * (1 - c.t[i]), missed += (1 - p) * c.t[i];
  }
  return 1 - (found + smooth) / (found + false_weight * wrong + missed_weight * missed + smooth);
}

// 1 - IoU where just these pixels are wrong.
double lost(const Case& c, const std::vector<size_t>& wrong) {
  std::vector<bool> is_wrong(c.t.size());
  for (const size_t i : wrong) is_wrong[i] = true;
  double both = 0, either = 0;
  for (size_t i = 0; i < c.t.size(); ++i) {
    const bool there = c.t[i] > 0, shown = is_wrong[i] != there;
    both += shown && there, either += shown || there;
  }
  return either == 0 ? 0 : 1 - both / either;
}

double lovasz(const Case& c) {
  std::vector<size_t> order(c.z.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto error = [&](size_t i) { return 1 - c.z[i] * (2 * c.t[i] - 1); };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return error(a) > error(b); });
  double sum = 0, before = 0;
  std::vector<size_t> wrong;
  for (const size_t i : order) {
    wrong.push_back(i);
    const double now = lost(c, wrong);
    sum += std::max(0.0, error(i)) * (now - before);
    before = now;
  }
  return sum;
}

const std::map<std::string, std::function<double(const Case&)>> formulas = {
    {"bce", bce},
    // 2a / (sum p + sum t) = a / (a + false / 2 + missed / 2), and so for what is added
    {"dice", [](const Case& c) { return index_loss(c, 0.5, 0.5, 0.5); }},
    {"bce_dice", [](const Case& c) { return bce(c) + index_loss(c, 0.5, 0.5, 0.5); }},
    {"focal",
     [](const Case& c) {
       return mean_of(c, [](double p, double t) {
         const double q = t > 0 ? p : 1 - p;
         return -(1 - q) * (1 - q) * std::log(q);
       });
     }},
    {"tversky", [](const Case& c) { return index_loss(c, 0.3, 0.7, 1); }},
    {"lovasz", lovasz}};

constexpr int64_t height = 6, width = 5;

// Samples with masks from empty to full.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (int i = 0; i < 6; ++i) {
    Case c;
    const Draws draws(i, "loss");
    for (uint64_t k = 0; k < height * width; ++k) {
      c.z.push_back(static_cast<float>(2 * draws.normal(k)));
      c.t.push_back(draws.uniform(1000 + k) < 0.2 * i ? 1 : 0);
    }
    all.push_back(std::move(c));
  }
  return all;
}

torch::Tensor batch_of(const std::vector<Case>& all, std::vector<double> Case::*field, torch::Dtype type) {
  auto batch = torch::empty({static_cast<int64_t>(all.size()), 1, height, width}, torch::kFloat64);
  for (size_t n = 0; n < all.size(); ++n)
    std::copy_n((all[n].*field).data(), height * width, batch.data_ptr<double>() + n * height * width);
  return batch.to(type);
}

TEST(Losses, AreTheirFormulasSampleBySample) {
  const auto all = cases();
  ASSERT_EQ(losses().size(), formulas.size());
  for (const NamedLoss& loss : losses()) {
    const auto values =
        loss.function(batch_of(all, &Case::z, torch::kFloat32), batch_of(all, &Case::t, torch::kFloat32));
    ASSERT_EQ(values.sizes(), (std::vector<int64_t>{static_cast<int64_t>(all.size())})) << loss.name;
    for (size_t n = 0; n < all.size(); ++n) {
      const double expected = formulas.at(loss.name)(all[n]);
      EXPECT_NEAR(values[static_cast<int64_t>(n)].item<float>(), expected, 1e-5 * (1 + expected)) << loss.name << n;
    }
  }
}

TEST(Losses, HaveTheGradientsOfTheirFormulas) {
  constexpr double step = 1e-6;
  const auto all = cases();
  for (const NamedLoss& loss : losses()) {
    auto logits = batch_of(all, &Case::z, torch::kFloat64).requires_grad_();
    loss.function(logits, batch_of(all, &Case::t, torch::kFloat64)).sum().backward();
    const auto gradient = logits.grad().contiguous();
    for (size_t n = 0; n < all.size(); ++n) {
      for (size_t k = 0; k < all[n].z.size(); ++k) {
        Case more = all[n], less = all[n];
        more.z[k] += step, less.z[k] -= step;
        const auto& formula = formulas.at(loss.name);
        EXPECT_NEAR(gradient.data_ptr<double>()[n * height * width + k], (formula(more) - formula(less)) / (2 * step),
                    1e-6)
            << loss.name << ", sample " << n << ", pixel " << k;
      }
    }
  }
}

TEST(Losses, AreSmallWherePredictionsAreRightAndLargerWhereTheyAreWrong) {
  const auto all = cases();
  const auto masks = batch_of(all, &Case::t, torch::kFloat32);
  const auto right = 20 * (2 * masks - 1);
  for (const NamedLoss& loss : losses()) {
    EXPECT_LT(loss.function(right, masks).max().item<float>(), 1e-4) << loss.name;
    EXPECT_GT(loss.function(-right, masks).min().item<float>(), 0.4) << loss.name;
  }
}

TEST(Losses, OfANetworkAreSummedOverItsTargetsEachByItsOwnLossAndWeight) {
  TrainParameters parameters;
  parameters.targets = {"mask", "border"};
  parameters.loss = "bce_dice";
  parameters.target_losses["border"] = "focal";
  parameters.loss_weights["border"] = 2.5;
  const auto all = cases();
  const auto logits = batch_of(all, &Case::z, torch::kFloat32), masks = batch_of(all, &Case::t, torch::kFloat32);
  const auto both = loss_of(parameters)(torch::cat({logits, -logits}, 1), torch::cat({masks, masks}, 1));
  const auto expected = loss_function("bce_dice")(logits, masks) + 2.5 * loss_function("focal")(-logits, masks);
  EXPECT_TRUE(torch::allclose(both, expected));
}

// Dice would push the values of a distance to 0 and 1.
TEST(Losses, OfADistanceAreItsCrossEntropyUnlessAnotherIsNamed) {
  TrainParameters parameters;
  parameters.targets = {"mask", "distance"}, parameters.loss = "bce_dice";
  const auto logits = torch::randn({2, 2, 8, 8}), targets = torch::rand({2, 2, 8, 8});
  const auto of = [&](const char* name, int64_t channel) {
    return loss_function(name)(logits.narrow(1, channel, 1), targets.narrow(1, channel, 1));
  };
  EXPECT_TRUE(torch::equal(loss_of(parameters)(logits, targets), of("bce_dice", 0) + of("bce", 1)));
  parameters.target_losses["distance"] = "dice";
  EXPECT_TRUE(torch::equal(loss_of(parameters)(logits, targets), of("bce_dice", 0) + of("dice", 1)));
}

// With cross-entropy alone that is its mean with a weight for each pixel, 1 + w0 times the nearness of objects.
TEST(Losses, OfPixelsBetweenObjectsCountMoreInEveryTarget) {
  TrainParameters parameters;
  parameters.targets = {"mask", "border"}, parameters.loss = "bce";
  parameters.separation_weight = 10, parameters.loss_weights["border"] = 3;
  const auto logits = torch::randn({2, 2, 8, 8}), targets = (torch::rand({2, 2, 8, 8}) < 0.3).to(torch::kFloat32),
             nearness = torch::rand({2, 1, 8, 8});
  const auto of = [&](int64_t channel) {
    return torch::binary_cross_entropy_with_logits(logits.narrow(1, channel, 1), targets.narrow(1, channel, 1),
                                                   1 + 10 * nearness, {}, at::Reduction::None)
        .mean({1, 2, 3});
  };
  const auto loss = loss_of(parameters)(logits, torch::cat({targets, nearness}, 1));
  EXPECT_TRUE(torch::allclose(loss, of(0) + 3 * of(1)));
}

TEST(Losses, OfSideOutputsCountHalfOfTheOneBefore) {
  TrainParameters parameters;
  const auto all = cases();
  const auto logits = batch_of(all, &Case::z, torch::kFloat32), masks = batch_of(all, &Case::t, torch::kFloat32);
  const auto loss = loss_of(parameters);
  const auto together = loss(torch::cat({logits, -logits, 0.5 * logits}, 1), masks);
  const auto expected = (loss(logits, masks) + loss(-logits, masks) / 2 + loss(0.5 * logits, masks) / 4) / 1.75;
  EXPECT_TRUE(torch::allclose(together, expected));
}

}  // namespace
}  // namespace penstock::stages
