#include "distributed/watchdog/beat.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr size_t longest_message = 2000;  // bytes; Open MPI sends 4096 at once through shared memory, more elsewhere
constexpr size_t longest_name = 80, longest_place = 200, most_inside = 16;

class Writer {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text, size_t longest) {
    text = text.substr(0, longest);
    put(static_cast<uint16_t>(text.size()));
    bytes_.append(text);
  }
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string get_text() { return std::string(take(get<uint16_t>())); }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view take(size_t count) {
    PENSTOCK_CHECK(count <= bytes_.size(), "a beat is read as it was written");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::string_view bytes_;
};

// What follows the head: one of these, then its fields.
enum class News : uint8_t { joined, dropped, entered };

std::string head_of(const Beat& beat) {
  Writer out;
  out.put(beat.stops);
  out.put(beat.leaves);
  out.put_text(beat.verdict, longest_place);
  out.put_text(beat.machine, longest_name);
  out.put(beat.standing.activity);
  out.put_text(beat.standing.where, longest_place);
  out.put(beat.standing.seconds);
  out.put(beat.standing.limit_seconds);
  out.put(beat.still_seconds);
  const size_t inside = std::min(beat.inside.size(), most_inside);
  out.put(static_cast<uint16_t>(inside));
  for (size_t i = 0; i < inside; ++i) {
    out.put(beat.inside[i].among);
    out.put(beat.inside[i].number);
    out.put(beat.inside[i].seconds);
  }
  return out.bytes_;
}

std::string bytes_of(const Joined& joined) {
  Writer out;
  out.put(News::joined);
  out.put(joined.among);
  out.put(joined.size);
  out.put_text(joined.name, longest_name);
  return out.bytes_;
}

std::string bytes_of(uint64_t dropped) {
  Writer out;
  out.put(News::dropped);
  out.put(dropped);
  return out.bytes_;
}

std::string bytes_of(const Entered& entered) {
  Writer out;
  out.put(News::entered);
  out.put(entered.among);
  out.put(entered.number);
  out.put(entered.collective.operation);
  out.put(entered.collective.type);
  out.put(entered.collective.root);
  out.put(entered.collective.bytes);
  out.put_text(entered.collective.what, longest_name);
  return out.bytes_;
}

}  // namespace

std::vector<std::string> to_messages(const Beat& beat) {
  const std::string head = head_of(beat);
  std::vector<std::string> messages = {head};
  const auto add = [&](const std::string& news) {
    if (messages.back().size() + news.size() > longest_message) messages.push_back(head);
    messages.back() += news;
  };
  for (const Joined& joined : beat.joined) add(bytes_of(joined));
  for (const Entered& entered : beat.entered) add(bytes_of(entered));
  for (const uint64_t dropped : beat.dropped) add(bytes_of(dropped));
  return messages;
}

Beat beat_from_message(std::string_view bytes) {
  Reader in(bytes);
  Beat beat;
  beat.stops = in.get<bool>();
  beat.leaves = in.get<bool>();
  beat.verdict = in.get_text();
  beat.machine = in.get_text();
  beat.standing.activity = in.get<Activity>();
  beat.standing.where = in.get_text();
  beat.standing.seconds = in.get<double>();
  beat.standing.limit_seconds = in.get<double>();
  beat.still_seconds = in.get<double>();
  beat.inside.resize(in.get<uint16_t>());
  for (Inside& inside : beat.inside) {
    inside.among = in.get<uint64_t>();
    inside.number = in.get<uint64_t>();
    inside.seconds = in.get<double>();
  }
  while (!in.at_end()) {
    switch (in.get<News>()) {
      case News::joined: {
        Joined joined;
        joined.among = in.get<uint64_t>();
        joined.size = in.get<int32_t>();
        joined.name = in.get_text();
        beat.joined.push_back(std::move(joined));
        break;
      }
      case News::dropped:
        beat.dropped.push_back(in.get<uint64_t>());
        break;
      case News::entered: {
        Entered entered;
        entered.among = in.get<uint64_t>();
        entered.number = in.get<uint64_t>();
        entered.collective.operation = in.get<Operation>();
        entered.collective.type = in.get<DataType>();
        entered.collective.root = in.get<int32_t>();
        entered.collective.bytes = in.get<uint64_t>();
        entered.collective.what = in.get_text();
        beat.entered.push_back(std::move(entered));
        break;
      }
    }
  }
  return beat;
}

}  // namespace penstock::distributed
