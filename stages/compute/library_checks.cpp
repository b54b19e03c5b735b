#include "stages/compute/library_checks.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/types.h>
#include <torch/version.h>
#include <unistd.h>

#include "distributed/error.h"
#include "pipeline/files.h"
#include "stages/compute/data/hdf5_file.h"

namespace penstock::stages {
namespace {

std::string check_libtorch() {
  const auto a = torch::arange(64 * 64, torch::kFloat64).remainder(7).view({64, 64});
  const auto exact = torch::matmul(a, a), usual = torch::matmul(a.to(torch::kFloat32), a.to(torch::kFloat32));
  if (!torch::equal(exact, usual.to(torch::kFloat64)))
    throw Error(ExitCode::environment, "a product of small integers is wrong");
  const auto x = torch::ones({1, 4, 8, 8}, torch::requires_grad()),
             w = torch::ones({4, 4, 3, 3}, torch::requires_grad());
  const auto y = torch::conv2d(x, w, {}, 1, 1);
  y.sum().backward();
  if (y.max().item<float>() != 36 || w.grad().max().item<float>() != 64)
    throw Error(ExitCode::environment, "a convolution of ones is wrong");
  return fmt::format("{}, instructions {}: products and convolutions right", TORCH_VERSION, at::get_cpu_capability());
}

std::string check_hdf5(const std::filesystem::path& folder) {
  std::vector<uint8_t> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 7);
  Hdf5Writer writer;
  writer.add({"values", Element::u8, {values.size()}, "place", "bytes to read again", 100, true}, values.data());
  const auto file = folder / fmt::format("penstock-doctor-{}.h5", getpid());  // others may look at this machine too
  pipeline::write_file(file, writer.finish().bytes());
  const bool same = Hdf5Reader(file).read("values", Element::u8) == values;
  std::filesystem::remove(file);
  if (!same) throw Error(ExitCode::environment, "a file reads back otherwise than it was written");
  return "a file with checksums reads back as it was written";
}

}  // namespace

std::vector<Finding> check_libraries(const std::filesystem::path& folder) {
  return {found("LibTorch", check_libtorch), found("HDF5", [&] { return check_hdf5(folder); })};
}

}  // namespace penstock::stages
