#include "stages/compute/extensions.h"

#include <utility>

namespace penstock::stages {

void add_network(NetworkRule rule, std::shared_ptr<Network> (*make)(const Architecture& architecture)) {
  add_row(NetworkMaker{rule.name, make});
  add_row(std::move(rule));
}

void add_loss(LossRule rule, LossFunction function) {
  add_row(NamedLoss{rule.name, function});
  add_row(std::move(rule));
}

void add_augmentation(AugmentationRule rule, void (*draw)(CropChange& change, const Draws& draws, double strength,
                                                          const PictureTraits& picture)) {
  add_row(ChangeDraw{rule.name, draw});
  add_row(std::move(rule));
}

void add_target(TargetRule rule) {
  rule.kind = TargetKind::own;
  add_row(std::move(rule));
}

void add_decoder(DecoderRule rule, Decoder function) {
  add_row(NamedDecoder{rule.name, function});
  add_row(std::move(rule));
}

void add_schedule(ScheduleRule rule) { add_row(std::move(rule)); }

}  // namespace penstock::stages
