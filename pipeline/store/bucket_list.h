// Which chunks a shared stage is made of, so that the clean-up can distinguish chunks of unfinished work from those of
// published work. Written by rank 0 while the stage runs; read by the clean-up.
//
//   buckets/<action key>   {"stage": "resize", "chunks": ["<key>", ...]}; grows pass by pass
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/store/store.h"

namespace penstock::pipeline {

struct BucketList {
  std::string stage;  // as named when it was written; for messages only
  std::vector<Digest> chunks;
};

// Replaces the list of `action`. Error(io) or Error(cannot_create) when it cannot be written.
void write_bucket_list(const Store& store, const Digest& action, const BucketList& list);

// Every list of the store, by action key. One that cannot be read is left out.
std::map<Digest, BucketList> read_bucket_lists(const Store& store);

}  // namespace penstock::pipeline
