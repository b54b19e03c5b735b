#include "distributed/watchdog/beat.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "distributed/check.h"

namespace penstock::distributed {
namespace {

constexpr size_t longest_message = 2000;  // bytes; Open MPI sends 4096 at once through shared memory, more elsewhere
constexpr size_t longest_name = 80, longest_place = 200, most_inside = 16;

// Writer and Reader take the same calls, so that one list of fields serves both directions.
class Writer {
 public:
  template <typename T>
  void operator()(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text, size_t longest) {
    text = text.substr(0, longest);
    (*this)(static_cast<uint16_t>(text.size()));
    bytes_.append(text);
  }
  template <typename Each, typename T>
  void list(const std::vector<T>& all, size_t most, Each&& each) {
    const size_t count = std::min(all.size(), most);
    (*this)(static_cast<uint16_t>(count));
    for (size_t i = 0; i < count; ++i) each(*this, all[i]);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  void operator()(T& value) {
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
  }
  void text(std::string& text, size_t) { text = take(get<uint16_t>()); }
  template <typename Each, typename T>
  void list(std::vector<T>& all, size_t, Each&& each) {
    all.resize(get<uint16_t>());
    for (T& one : all) each(*this, one);
  }
  template <typename T>
  T get() {
    T value;
    (*this)(value);
    return value;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view take(size_t count) {
    PENSTOCK_CHECK(count <= bytes_.size(), "a beat holds the fields that were written");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::string_view bytes_;
};

// The fields of each part, for a Writer or a Reader.

constexpr auto inside_fields = [](auto& wire, auto& inside) {
  wire(inside.among);
  wire(inside.number);
  wire(inside.seconds);
};

constexpr auto head_fields = [](auto& wire, auto& beat) {
  wire(beat.stops);
  wire(beat.leaves);
  wire.text(beat.verdict, longest_place);
  wire.text(beat.machine, longest_name);
  wire(beat.standing.activity);
  wire.text(beat.standing.where, longest_place);
  wire(beat.standing.seconds);
  wire(beat.standing.limit_seconds);
  wire(beat.still_seconds);
  wire.list(beat.inside, most_inside, inside_fields);
};

constexpr auto joined_fields = [](auto& wire, auto& joined) {
  wire(joined.among);
  wire(joined.size);
  wire.text(joined.name, longest_name);
};

constexpr auto dropped_fields = [](auto& wire, auto& dropped) { wire(dropped); };

constexpr auto entered_fields = [](auto& wire, auto& entered) {
  wire(entered.among);
  wire(entered.number);
  wire(entered.collective.operation);
  wire(entered.collective.type);
  wire(entered.collective.root);
  wire(entered.collective.bytes);
  wire.text(entered.collective.what, longest_name);
};

// The head is followed by news: each one of these, then its fields.
enum class News : uint8_t { joined, dropped, entered };

template <typename Fields, typename T>
std::string bytes_of(News kind, const T& one, const Fields& fields) {
  Writer out;
  out(kind);
  fields(out, one);
  return out.bytes();
}

}  // namespace

std::vector<std::string> to_messages(const Beat& beat) {
  Writer head;
  head_fields(head, beat);
  std::vector<std::string> messages = {head.bytes()};
  const auto add = [&](const std::string& news) {
    if (messages.back().size() + news.size() > longest_message) messages.push_back(head.bytes());
    messages.back() += news;
  };
  for (const Joined& joined : beat.joined) add(bytes_of(News::joined, joined, joined_fields));
  for (const Entered& entered : beat.entered) add(bytes_of(News::entered, entered, entered_fields));
  for (const uint64_t dropped : beat.dropped) add(bytes_of(News::dropped, dropped, dropped_fields));
  return messages;
}

Beat beat_from_message(std::string_view bytes) {
  Reader in(bytes);
  Beat beat;
  head_fields(in, beat);
  while (!in.at_end()) {
    switch (in.get<News>()) {
      case News::joined:
        joined_fields(in, beat.joined.emplace_back());
        continue;
      case News::dropped:
        dropped_fields(in, beat.dropped.emplace_back());
        continue;
      case News::entered:
        entered_fields(in, beat.entered.emplace_back());
        continue;
    }
    PENSTOCK_CHECK(false, "the news of a beat are of a known kind");
  }
  return beat;
}

}  // namespace penstock::distributed
