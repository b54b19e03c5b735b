// Stages whose samples all ranks share: buckets, handed out one by one, each cached as a chunk of its own. Called by
// call_stage on every rank of a group.
#pragma once

#include "distributed/collectives.h"
#include "pipeline/run/stage_call.h"
#include "pipeline/stage.h"
#include "pipeline/store/store.h"

namespace penstock::pipeline {

// Samples grouped by the leading bits of SHA-256(sample id): the bucket of a sample depends only on its id and on
// bucket_count.
struct Bucket {
  std::string name;             // the bits, as hex of fixed width
  std::vector<Sample> members;  // sorted by id
};
// The power of two at or above samples / samples_per_bucket.
size_t bucket_count(size_t samples, int samples_per_bucket);
// Of bucket_count's buckets those that hold a sample. Throws Error(data) when two samples have one id.
std::vector<Bucket> make_buckets(std::vector<Sample> samples, int samples_per_bucket);

// Collective. All passes of a shared stage; `keys` on rank 0. The outcome is the same on every rank;
// when it is done, the outputs are complete.
distributed::Outcome run_shared(const StageKind& kind, StageContext& context, Store& store, const ChunkKeys* keys);

}  // namespace penstock::pipeline
