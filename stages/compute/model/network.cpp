#include "stages/compute/model/network.h"

#include "stages/compute/model/unet.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

template <const UNetStyle& style>
std::shared_ptr<Network> make_unet(const Architecture& architecture) {
  return std::make_shared<UNet>(architecture, style);
}

OpenTable<NetworkMaker>& table() {
  static OpenTable<NetworkMaker> makers("network", {
                                                       {"unet", make_unet<plain_unet>},
                                                       {"residual_unet", make_unet<residual_unet>},
                                                       {"attention_unet", make_unet<attention_unet>},
                                                       {"unet++", make_unet<nested_unet>},
                                                   });
  return makers;
}

}  // namespace

const std::vector<NetworkMaker>& network_makers() { return table().rows(); }

void add_row(NetworkMaker maker) { table().add(std::move(maker)); }

std::shared_ptr<Network> make_network(const Architecture& architecture) {
  return row_of(network_makers(), "network", architecture.kind).make(architecture);
}

}  // namespace penstock::stages
