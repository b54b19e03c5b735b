#include "stages/compute/model/network.h"

#include "stages/compute/model/unet.h"
#include "stages/training/name_table.h"

namespace penstock::stages {
namespace {

template <typename Kind>
std::shared_ptr<Network> make(const Architecture& architecture) {
  return std::make_shared<Kind>(architecture);
}

}  // namespace

const std::vector<NetworkMaker>& network_makers() {
  static const std::vector<NetworkMaker> makers = {{"unet", make<UNet>}};
  return makers;
}

std::shared_ptr<Network> make_network(const Architecture& architecture) {
  return row_of(network_makers(), "network", architecture.kind).make(architecture);
}

}  // namespace penstock::stages
