// What the declaration of shard and its body share.
#pragma once

namespace penstock::stages {

// A bucket becomes a file or a few, which should not be small.
inline constexpr int samples_per_shard_bucket = 256;

}  // namespace penstock::stages
