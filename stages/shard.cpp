// shard: samples become HDF5 files that open in h5py, HDFView and MATLAB. The body is in compute/shard_body.cpp.
#include "stages/shard.h"

#include "stages/compute_library.h"
#include "stages/kinds.h"

namespace penstock::stages {

pipeline::StageKind shard_kind() {
  pipeline::StageKind kind;
  kind.name = "shard";
  kind.summary = "writes the samples as HDF5 shards, with a description of the data set";
  kind.scope = pipeline::Scope::shared;
  kind.inputs = {{.name = "samples", .help = "resize.samples", .by_sample = true}};
  kind.outputs = {{.name = "shards", .help = "HDF5 files of at most 64 MiB raw, index.json, DATASET.md, dataset.json"}};
  kind.samples_per_bucket = samples_per_shard_bucket;
  kind.body = [] { return compute_body("shard"); };
  return kind;
}

}  // namespace penstock::stages
