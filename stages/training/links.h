// Links between ranks that have a name, for `penstock plan --world --link NAME`, with where each figure is from.
#pragma once

#include <string>
#include <vector>

#include "distributed/reducer/link_model.h"

namespace penstock::stages {

struct NamedLink {
  std::string name;
  distributed::Link link;
  std::string source;  // of its figures
};

const std::vector<NamedLink>& known_links();

// A known name, or figures: "5us,12GB/s". Throws Error(usage), with the nearest name.
NamedLink link_of(const std::string& text);

// "4 us, 25 GB/s"
std::string figures_of(const distributed::Link& link);

// The links and the model that uses them, as a section of configs/REFERENCE.md.
std::string reference_of_links();

}  // namespace penstock::stages
