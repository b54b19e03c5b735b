#include "stages/training/training_layout.h"

#include <map>

#include "distributed/check.h"
#include "stages/arithmetic/figures.h"
#include "stages/training/norms.h"

namespace penstock::stages {

using distributed::Reproducible;

// "world" costs 1 % of a step on two cores (tests/benchmarks/training world), and a rule by which the rank count
// decided would break its promise: a training may resume at another rank count and end with the same bits.
Reproducible reproducible_of(const TrainParameters& parameters) {
  return norm_rule(parameters.norm).over_ranks || parameters.reproducible == "run" ? Reproducible::run
                                                                                   : Reproducible::world;
}

int items_of(const TrainParameters& parameters, int ranks) {
  return norm_rule(parameters.norm).over_ranks ? ranks : static_cast<int>(parameters.micro_shards());
}

std::vector<int64_t> balanced_crops(const std::vector<double>& areas, const std::vector<std::string>& looks) {
  PENSTOCK_CHECK(areas.size() == looks.size(), "each sample has an area and a visual type");
  struct Type {
    int64_t samples = 0;
    double area = 0;
  };
  std::map<std::string, Type> types;
  for (size_t i = 0; i < areas.size(); ++i) ++types[looks[i]].samples, types[looks[i]].area += areas[i];
  double crops = 0, weights = 0;
  const auto weight = [&](size_t i) {
    const Type& type = types.at(looks[i]);
    return areas[i] / type.area * std::sqrt(static_cast<double>(type.samples));
  };
  for (size_t i = 0; i < areas.size(); ++i) {
    crops += std::max(1.0, std::round(areas[i]));
    weights += weight(i);
  }
  std::vector<int64_t> counts;
  double wanted = 0;
  int64_t given = 0;  // without those that only the least brings
  for (size_t i = 0; i < areas.size(); ++i) {
    wanted += crops * weight(i) / weights;
    const int64_t count = std::llround(wanted) - given;
    given += count;
    counts.push_back(std::max<int64_t>(1, count));
  }
  return counts;
}

std::vector<distributed::Bucket> gradient_buckets(const std::vector<size_t>& slots, int64_t statistics) {
  return distributed::standard_buckets(slots, static_cast<size_t>(statistics) + figure_count);
}

}  // namespace penstock::stages
