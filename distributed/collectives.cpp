#include "distributed/collectives.h"

#include <algorithm>

namespace penstock::distributed {

std::string broadcast_text(Communicator& ranks, std::string_view text, int root, std::string_view what) {
  uint64_t size = text.size();
  ranks.broadcast(buffer_of(&size, 1), root, what);
  std::string all = ranks.rank() == root ? std::string(text) : std::string(size, '\0');
  if (size > 0) ranks.broadcast(buffer_of(reinterpret_cast<uint8_t*>(all.data()), size), root, what);
  return all;
}

std::vector<std::string> gather_texts(Communicator& ranks, std::string_view mine, std::string_view what) {
  uint64_t size = mine.size();
  std::vector<uint64_t> sizes(ranks.size());
  ranks.all_gather(buffer_of(&size, 1), buffer_of(sizes.data(), sizes.size()), what);
  const uint64_t widest = *std::max_element(sizes.begin(), sizes.end());
  std::vector<std::string> texts(ranks.size());
  if (widest == 0) return texts;
  std::string padded(mine);
  padded.resize(widest);
  std::string all(widest * ranks.size(), '\0');
  ranks.all_gather(buffer_of(reinterpret_cast<uint8_t*>(padded.data()), widest),
                   buffer_of(reinterpret_cast<uint8_t*>(all.data()), all.size()), what);
  for (size_t rank = 0; rank < texts.size(); ++rank) texts[rank] = all.substr(rank * widest, sizes[rank]);
  return texts;
}

Agreed agree(Communicator& ranks, const Outcome& mine, std::string_view what) {
  int32_t code = static_cast<int>(mine.code);
  std::vector<int32_t> codes(ranks.size());
  ranks.all_gather(buffer_of(&code, 1), buffer_of(codes.data(), codes.size()), what);
  const auto failed = std::find_if(codes.begin(), codes.end(), [](int32_t one) { return one != 0; });
  if (failed == codes.end()) return {};
  const int rank = static_cast<int>(failed - codes.begin());
  return {rank, {static_cast<ExitCode>(*failed), broadcast_text(ranks, mine.message, rank, what)}};
}

}  // namespace penstock::distributed
