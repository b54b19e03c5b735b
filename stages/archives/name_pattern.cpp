#include "stages/archives/name_pattern.h"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>

#include "stages/archives/layout_names.h"

namespace penstock::stages {
namespace {

constexpr std::string_view id_token = "{id}";

// Matches `pattern` with all of `text`; collects what {id} stood for.
struct Matcher {
  std::set<std::string> ids;

  void match(std::string_view pattern, std::string_view text, const std::optional<std::string>& id) {
    if (pattern.empty()) {
      if (text.empty() && id) ids.insert(*id);
    } else if (pattern.starts_with(id_token)) {
      match_id(pattern.substr(id_token.size()), text, id);
    } else if (pattern.front() == '*') {
      const bool deep = pattern.starts_with("**");
      const std::string_view rest = pattern.substr(deep ? 2 : 1);
      for (size_t length = 0; length <= text.size(); ++length) {
        if (length > 0 && !deep && text[length - 1] == '/') break;
        match(rest, text.substr(length), id);
      }
    } else if (!text.empty() && (pattern.front() == '?' ? text.front() != '/' : text.front() == pattern.front())) {
      match(pattern.substr(1), text.substr(1), id);
    }
  }

 private:
  void match_id(std::string_view rest, std::string_view text, const std::optional<std::string>& id) {
    if (id) {
      if (text.starts_with(*id)) match(rest, text.substr(id->size()), id);
      return;
    }
    for (size_t length = 1; length <= text.size() && text[length - 1] != '/'; ++length)
      match(rest, text.substr(length), std::string(text.substr(0, length)));
  }
};

}  // namespace

NamePattern::NamePattern(std::string_view text) : text_(name_key(text)) {
  if (text_.find(id_token) == std::string::npos) throw std::invalid_argument("a pattern holds {id}");
}

std::vector<NamePattern::Fit> NamePattern::fits(std::string_view path) const {
  std::vector<Fit> all;
  const std::string key = name_key(path);
  for (size_t begin = 0; begin < key.size();) {
    Matcher matcher;
    matcher.match(text_, std::string_view(key).substr(begin), std::nullopt);
    std::vector<std::string> ids(matcher.ids.begin(), matcher.ids.end());
    std::stable_sort(ids.begin(), ids.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    for (std::string& id : ids) all.push_back({key.substr(0, begin == 0 ? 0 : begin - 1), std::move(id)});
    const size_t slash = key.find('/', begin);
    if (slash == std::string::npos) break;
    begin = slash + 1;
  }
  return all;
}

}  // namespace penstock::stages
