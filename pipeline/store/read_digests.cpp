#include "pipeline/store/read_digests.h"

#include <algorithm>

namespace penstock::pipeline {
namespace {

std::array<int64_t, 4> identity_in(const FileSignature& signature) {
  std::array<int64_t, 4> identity;
  std::copy_n(signature.begin(), identity.size(), identity.begin());
  return identity;
}

}  // namespace

Digest ReadDigests::read(const std::filesystem::path& file, const FileSignature& signature) {
  const Digest digest = digest_of_file(file);
  const std::lock_guard lock(mutex_);
  digests_.insert_or_assign(identity_in(signature), digest);
  return digest;
}

Digest ReadDigests::take(const std::filesystem::path& file, const FileSignature& signature) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto kept = digests_.extract(identity_in(signature))) return kept.mapped();
  }
  return digest_of_file(file);
}

}  // namespace penstock::pipeline
