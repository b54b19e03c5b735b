// Which pictures of a set belong together: copies, near copies, tiles of one larger picture. Pure; the same
// fingerprints give the same answer, in any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "stages/audit/fingerprint.h"

namespace penstock::stages {

using Prints = std::vector<const Fingerprint*>;

// Sets of two or more pictures with the same pixels; members and sets in the order of `prints`.
std::vector<std::vector<size_t>> copies_in(const Prints& prints);

struct Likeness {
  size_t first = 0, second = 0;  // first < second
  double correlation = 0;        // of the thumbnails, in the orientation that fits best
  int orientation = 0;           // of the second against the first
};

// Pairs that are no copies, but whose small pictures have difference hashes at most `most_hash_distance` bits apart and
// correlate with `least_likeness` or more, turned and mirrored or not. A change of brightness or contrast changes
// neither.
inline constexpr int most_hash_distance = 12;
inline constexpr double least_likeness = 0.985;
std::vector<Likeness> near_copies_in(const Prints& prints);

// Pairs of a picture whose right (lower) side continues on the other's left (upper) side: of equal length, and each the
// other's best match. `correlation` is that of the lines. Where two lines cut two objects or more each, they correlate
// with `least_edge_correlation` and lie no further apart than `most_step` times what neighbouring lines inside the two
// pictures do. Lines that cut one object are alike by chance in any set of sparse objects: they count only where the
// former shows that the set was cut (a fifth of its pictures are in such pairs), and by the stricter two limits.
inline constexpr double least_edge_correlation = 0.9, most_step = 1.5;
inline constexpr double least_plain_correlation = 0.95, most_plain_step = 1.25;
inline constexpr double least_cut_share = 0.2;
std::vector<Likeness> touching_in(const Prints& prints);

// For each picture, the first one (by place) that it is linked to over any number of links; itself where there is none.
std::vector<size_t> grouped(size_t count, const std::vector<std::pair<size_t, size_t>>& links);

}  // namespace penstock::stages
