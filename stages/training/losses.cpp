#include "stages/training/losses.h"

#include "stages/training/name_table.h"

namespace penstock::stages {

namespace {

OpenTable<LossRule>& table() {
  static OpenTable<LossRule> rules(
      "loss", {
                  {"bce", "binary cross-entropy"},
                  {"bce_dice", "its sum with 1 - soft Dice"},
                  {"dice", "1 - soft Dice"},
                  {"focal", "cross-entropy that counts what is nearly right less, gamma 2"},
                  {"tversky", "1 - the Tversky index, to which a missed pixel is 0.7 and a false one 0.3"},
                  {"lovasz", "the Lovasz hinge, a convex stand-in for 1 - IoU"},
              });
  return rules;
}

}  // namespace

const std::vector<LossRule>& loss_rules() { return table().rows(); }

void add_row(LossRule rule) { table().add(std::move(rule)); }

}  // namespace penstock::stages
