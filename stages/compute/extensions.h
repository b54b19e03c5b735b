// What a user's own program adds to the choices of train and eval. It is linked to penstock_launch and
// penstock_compute, and calls these in its main(), before stage_table() and run_command_line(): from then on the new
// names are checked, listed (`stages`, `schema`), swept and published as all others are. A name that is taken fails a
// check. CONTRIBUTING.md has an example of each.
//
// Keys know a row by its name. Where it computes something else than before, give it another one, or the stores would
// answer with what the old one made.
#pragma once

#include <memory>

#include "stages/compute/model/network.h"
#include "stages/compute/scores/decoders.h"
#include "stages/compute/step/losses.h"
#include "stages/compute/step/row_changes.h"
#include "stages/training/architecture.h"
#include "stages/training/augmentations.h"
#include "stages/training/decoders.h"
#include "stages/training/losses.h"
#include "stages/training/schedules.h"
#include "stages/training/targets.h"

namespace penstock::stages {

// `rule.layers` lists what `make` registers, in its order: buckets, memory and the report's table are made of it.
// Modules whose names begin with "down" or "bottom" are the encoder.
void add_network(NetworkRule rule, std::shared_ptr<Network> (*make)(const Architecture& architecture));

// Of one output channel: [N, 1, H, W] logits and targets -> [N]. Of operations that wait for no value.
void add_loss(LossRule rule, LossFunction function);

// `draw` sets parts of CropChange by its own stream of draws; `rule` says what its strength is.
void add_augmentation(AugmentationRule rule, void (*draw)(CropChange& change, const Draws& draws, double strength,
                                                          const PictureTraits& picture));

// `rule.own` is called for each pixel of each crop, by several threads. On the CPU in fp32 only.
void add_target(TargetRule rule);

// `function` cuts pieces of foreground, as NamedDecoder says.
void add_decoder(DecoderRule rule, Decoder function);

void add_schedule(ScheduleRule rule);

}  // namespace penstock::stages
