// The weights that a training starts from where it is given some: a model of an earlier run, or a safetensors file of
// another program with PyTorch's names. Pure but for reading; any thread may call.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "stages/compute/model/flat_layout.h"
#include "stages/compute/model/model_folder.h"

namespace penstock::stages {

struct InitialWeights {
  Weights weights;
  size_t taken = 0;                 // tensors
  std::vector<std::string> anew;    // tensors that keep their own start, each with the reason
  std::vector<std::string> unused;  // tensors of the file that this network does not have
};

// `init`: a model folder, a safetensors file, or a folder that holds just one. `own`: what the network starts with by
// itself. `layers`: a choice of train.init_layers; "all" throws Error(config) where a tensor does not fit, each of them
// where none does.
InitialWeights initial_weights(const std::filesystem::path& init, const FlatLayout& layout, const Weights& own,
                               std::string_view layers);

// "64 of 66 tensors from FILE; from the seed: output.weight ([1, 8, 1, 1] there, [2, 8, 1, 1] here), ..."
std::string described(const InitialWeights& initial, const std::filesystem::path& init);

}  // namespace penstock::stages
