// A pack, the container of samples, checkpoints and weights (safetensors): its arrays lie in the file and fill their
// shapes.
#include "stages/packs/pack.h"
#include "fuzz/fuzzing.h"

namespace penstock::fuzz {
namespace {

void look_at(const stages::Pack& pack, size_t file_bytes) {
  for (const std::string& name : pack.names()) {
    require(pack.has(name), "a pack has what it names");
    const stages::PackedArray array = pack.array(name);
    require(array.bytes.size() <= file_bytes, "an array lies in the file");
    size_t expected = stages::bytes_of(array.element);
    for (const int64_t side : array.shape) expected *= static_cast<size_t>(side);
    require(expected == array.bytes.size(), "an array fills its shape");
    pipeline::digest_of(text_of(array.bytes.data(), array.bytes.size()));  // reads them all
  }
  pack.header().dump();
  for (const auto& sample : pack.samples()) sample.dump();
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace penstock::fuzz;
  const auto file = scratch() / "x.safetensors";
  put(file, text_of(data, size));
  is_refused(penstock::ExitCode::data, "x.safetensors", [&] { look_at(penstock::stages::Pack(file), size); });
  return 0;
}
