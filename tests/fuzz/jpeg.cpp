// A JPEG: a picture, a sample's picture or a mask.
#include "fuzz/pictures.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  penstock::fuzz::decode({data, size});
  return 0;
}
