#include "distributed/communicator_claims.h"

#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "distributed/collectives.h"

namespace penstock::distributed {
namespace {

void require(bool holds, const std::string& sentence) {
  if (!holds) throw std::runtime_error("broken promise: " + sentence);
}

}  // namespace

void check_collectives(Communicator& ranks) {
  const int rank = ranks.rank(), size = ranks.size();
  ranks.barrier("a barrier");

  std::vector<int32_t> seven(5, rank == size - 1 ? 7 : 0);
  ranks.broadcast(buffer_of(seven.data(), seven.size()), size - 1, "a broadcast");
  require(seven == std::vector<int32_t>(5, 7), "broadcast gives the root's values");

  for (const size_t count : {size_t{3}, size_t{100'000}}) {  // below and above the size that switches the algorithm
    std::vector<double> sum(count, rank + 1.0);
    ranks.all_reduce(buffer_of(sum.data(), count), "a sum");
    require(sum == std::vector<double>(count, size * (size + 1) / 2.0), "all_reduce adds over all ranks");
  }

  int64_t mine = 10 + rank;
  std::vector<int64_t> all(size);
  ranks.all_gather(buffer_of(&mine, 1), buffer_of(all.data(), all.size()), "a gather");
  std::vector<int64_t> expected(size);
  std::iota(expected.begin(), expected.end(), 10);
  require(all == expected, "all_gather keeps rank order");

  std::vector<int32_t> out(size), in(size);
  for (int to = 0; to < size; ++to) out[to] = 100 * rank + to;
  ranks.all_to_all(buffer_of(out.data(), out.size()), buffer_of(in.data(), in.size()), "an exchange");
  for (int from = 0; from < size; ++from) require(in[from] == 100 * from + rank, "all_to_all transposes");

  std::vector<float> first(1000, 1.0F), second(10, 2.0F);
  const auto one = ranks.start_all_reduce(buffer_of(first.data(), first.size()), "background 1");
  const auto two = ranks.start_all_reduce(buffer_of(second.data(), second.size()), "background 2");
  one->wait();
  two->wait();
  require(first[999] == static_cast<float>(size) && second[9] == 2.0F * static_cast<float>(size),
          "background sums are sums");

  require(broadcast_text(ranks, rank == 0 ? "a text" : "", 0, "text") == "a text", "texts travel");
  const auto texts = gather_texts(ranks, std::string(rank, 'x'), "texts");
  for (int from = 0; from < size; ++from)
    require(texts[from] == std::string(from, 'x'), "texts of any length are gathered");
  const Agreed agreed = agree(ranks, rank == size - 1 ? Outcome{ExitCode::data, "bad file"} : Outcome{}, "agreement");
  require(agreed.rank == size - 1 && agreed.outcome.message == "bad file", "all learn who failed and why");
}

void check_messages(Communicator& ranks) {
  const int next = (ranks.rank() + 1) % ranks.size();
  const int previous = (ranks.rank() + ranks.size() - 1) % ranks.size();
  ranks.send(next, 3, "first");
  ranks.send(next, 4, "other tag");
  ranks.send(next, 3, "");
  require(ranks.receive(previous, 4).bytes == "other tag", "tags are apart");
  require(ranks.receive(any_rank, 3).bytes == "first", "messages of a sender keep their order");
  require(ranks.receive(previous, 3).bytes.empty(), "an empty message arrives");
  require(!ranks.poll(any_rank, 3).has_value(), "poll does not wait");
}

void check_split(Communicator& ranks) {
  const auto half = ranks.split(ranks.rank() % 2, -ranks.rank(), "halves");
  require(half->size() == (ranks.size() + 1 - ranks.rank() % 2) / 2, "ranks of one color form a world");
  int32_t sum = 1;
  half->all_reduce(buffer_of(&sum, 1), "a sum in a half");
  require(sum == half->size(), "a half sums on its own");
  require(ranks.rank() != 0 || half->rank() == half->size() - 1, "the key orders a new world");
  const auto none = ranks.split(ranks.rank() == 0 ? 0 : -1, 0, "one");
  require((none != nullptr) == (ranks.rank() == 0), "a negative color joins no world");
  const auto same = ranks.duplicate("a duplicate");
  require(same->rank() == ranks.rank() && same->size() == ranks.size(), "a duplicate has the same ranks");
}

}  // namespace penstock::distributed
