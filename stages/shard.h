// What the declaration of shard and its body share.
#pragma once

namespace penstock::stages {

// A bucket becomes one or a few files; with fewer samples these would be small.
inline constexpr int samples_per_shard_bucket = 256;

}  // namespace penstock::stages
