#include "pipeline/syntax/syntax_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <sstream>

namespace penstock::pipeline {
namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "train.lr" and "'train.lr'" of `"train.lr" = 3`; empty where the line begins no key. Quotes are taken away.
std::string key_of(const std::string& line) {
  std::string key = trimmed(line.substr(0, line.find('=')));
  if (line.find('=') == std::string::npos || key.starts_with('[') || key.starts_with('#')) return "";
  std::erase_if(key, [](char c) { return c == '"' || c == '\'' || c == ' '; });
  return key;
}

// "stage.train" of `[stage.train]`; empty where the line is no header.
std::string header_of(const std::string& line) {
  const std::string text = trimmed(line);
  if (!text.starts_with('[') || text.find(']') == std::string::npos) return "";
  std::string name = text.substr(0, text.find(']'));
  std::erase_if(name, [](char c) { return c == '[' || c == ' '; });
  return name;
}

// The list, inline table or long text that is still open at the end of `text`.
struct Opened {
  char sign;  // that opened it
  int line, column;
};
std::optional<Opened> opened_in(const std::string& text) {
  std::vector<Opened> open;
  int line = 1, column = 0;
  std::string quote;  // that closes the text we are in
  Opened quoted{};
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    ++column;
    if (c == '\n') {
      ++line, column = 0;
    } else if (!quote.empty()) {
      if (c == '\\' && quote[0] == '"') {
        ++i, ++column;
      } else if (text.compare(i, quote.size(), quote) == 0) {
        i += quote.size() - 1, column += static_cast<int>(quote.size()) - 1;
        quote.clear();
      }
    } else if (c == '"' || c == '\'') {
      const std::string three(3, c);
      quote = text.compare(i, 3, three) == 0 ? three : std::string(1, c);
      quoted = {c, line, column};
      i += quote.size() - 1, column += static_cast<int>(quote.size()) - 1;
    } else if (c == '#') {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i, ++column;
    } else if (c == '[' || c == '{') {
      open.push_back({c, line, column});
    } else if ((c == ']' || c == '}') && !open.empty()) {
      open.pop_back();
    }
  }
  if (quote.size() == 3) return quoted;
  if (open.empty()) return std::nullopt;
  return open.back();
}

class SyntaxErrorExplainer {
 public:
  SyntaxErrorExplainer(const std::string& text, const Position& where, std::string_view message)
      : message_(message), error_{where, "", {}} {
    std::istringstream all(text);
    for (std::string line; std::getline(all, line);) lines_.push_back(line);
    lines_.resize(std::max(lines_.size(), static_cast<size_t>(where.line)));
    std::string before;
    for (int i = 0; i + 1 < where.line; ++i) before += lines_[i] + "\n";
    opened_ = opened_in(before);
  }

  SyntaxError explain() {
    if (has("cannot redefine existing")) {
      twice();
    } else if (has("could not determine value type")) {
      no_value();
    } else if (has("parsing string: unescaped control") || has("parsing literal string: control") ||
               has("parsing string: encountered end")) {
      open_quote();
    } else if (has("unknown escape sequence")) {
      error_.sentence = plainly() + "; write \\\\ for a backslash, or the text in single quotes";
    } else if (has("expected value, saw '\\n'")) {
      error_.sentence = "a value must follow the '='";
    } else if (has("expected a comment or whitespace, saw ")) {
      error_.sentence = "only a comment may follow on this line";
    } else if (has("expected key or closing '}'")) {
      error_.sentence = "an inline table { ... } stays on one line; what is longer gets a [table] of its own";
    } else if (has("integer") || has("floating-point")) {
      no_number();
    } else if (saw_accent() && (has("parsing key") || has("parsing table header") || has("parsing root table"))) {
      error_.sentence = "a key holds letters a to z, digits, '_' and '-'; with any other letter it needs quotes";
    } else if (has("parsing boolean")) {
      error_.sentence = "true and false are written in small letters";
    } else {
      error_.sentence = plainly();
    }
    if (opened_) {
      const Position opening{error_.position.file, opened_->line, opened_->column, 1};
      const char* what = opened_->sign == '[' ? "list" : opened_->sign == '{' ? "table" : "string";
      error_.notes.push_back({opening, fmt::format("the {} that begins here is still open there", what)});
    }
    return std::move(error_);
  }

 private:
  bool has(std::string_view words) const { return message_.find(words) != std::string::npos; }
  // The letter at which the parser stopped is none of ASCII.
  bool saw_accent() const {
    const size_t saw = message_.rfind("saw '");
    return saw != std::string::npos && saw + 5 < message_.size() && (message_[saw + 5] & 0x80) != 0;
  }
  const std::string& line() const { return lines_[error_.position.line - 1]; }

  // "Error while parsing array: expected comma ..., saw '\n'" -> "in a list: expected comma ..., saw the end of the
  // line".
  std::string plainly() const {
    static const std::vector<std::pair<std::string, std::string>> words = {
        {"Error while parsing key-value pair: ", ""},
        {"Error while parsing root table: ", ""},
        {"Error while parsing value: ", ""},
        {"Error while parsing array: ", "in a list: "},
        {"Error while parsing ", "in a "},
        {"'\\n'", "the end of the line"}};
    std::string text = message_;
    for (const auto& [from, to] : words) {
      if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
    }
    return text;
  }

  void point_at(int number, const std::string& word) {
    const std::string& text = lines_[number - 1];
    const size_t at = text.find_first_not_of(" \t");
    error_.position.line = number;
    error_.position.column = static_cast<int>(at == std::string::npos ? 0 : at) + 1;
    error_.position.length = static_cast<int>(word.size());
  }

  // A table or a key that is there before. The parser stands behind the second one.
  void twice() {
    const int number = error_.position.line;
    const std::string header = header_of(line());
    if (has("as table")) {
      error_.sentence = fmt::format("'{}' is a list of tables above: write [[{}]]", header, header);
      return;
    }
    const std::string key = header.empty() ? key_of(line()) : header;
    std::optional<int> first;
    for (int above = number - 1; above >= 1 && !first; --above) {
      if (header.empty() && !header_of(lines_[above - 1]).empty()) break;
      if (!key.empty() && (header.empty() ? key_of(lines_[above - 1]) : header_of(lines_[above - 1])) == key)
        first = above;
    }
    error_.sentence = header.empty() ? fmt::format("the key '{}' is given twice in one table", key)
                                     : fmt::format("the table [{}] is defined twice", key);
    if (first)
      point_at(*first, trimmed(lines_[*first - 1].substr(0, lines_[*first - 1].find(header.empty() ? '=' : '#'))));
    const Position earlier = error_.position;
    point_at(number, trimmed(line().substr(0, line().find(header.empty() ? '=' : '#'))));
    if (first) {
      error_.notes.push_back({earlier, "the first is here"});
    } else if (header.empty()) {
      error_.sentence = plainly();  // inside an inline table
    }
  }

  // The word at or before the place, which becomes the place.
  std::string point_at_word() {
    static const std::string ends = " \t,=]}[{#";
    const std::string& text = line();
    size_t first = std::min<size_t>(error_.position.column - 1, text.size());
    while (first > 0 && ends.find(text[first - 1]) == std::string::npos) --first;
    const std::string word = text.substr(first, std::min(text.find_first_of(ends, first), text.size()) - first);
    error_.position.column = static_cast<int>(first) + 1;
    error_.position.length = std::max(1, static_cast<int>(word.size()));
    return word;
  }

  // A word that is no value: nearly always text without its quotes.
  void no_value() {
    const std::string& text = line();
    const std::string word = point_at_word();
    const size_t first = error_.position.column - 1;
    if (!word.empty()) {
      error_.sentence = fmt::format("'{}' is not a TOML value; text needs quotes: \"{}\"", word, word);
    } else {
      error_.sentence = text.compare(first, 1, "=") == 0 ? "one '=' is enough" : "here a value must begin";
    }
  }

  // The parser stands somewhere in the number or behind it.
  void no_number() {
    error_.sentence = plainly();
    point_at_word();
  }

  void open_quote() {
    const std::string& text = line();
    if (has("end-of-file")) {
      error_.sentence = "the file ends inside a string: its closing quotes are missing";
      return;
    }
    const char quote = has("literal") ? '\'' : '"';
    const size_t at = text.rfind(quote);
    if (at == std::string::npos || static_cast<int>(text.size()) + 1 < error_.position.column) {
      error_.sentence = plainly();
      return;
    }
    error_.position.column = static_cast<int>(at) + 1;
    error_.position.length = static_cast<int>(text.size() - at);
    error_.sentence = "this string has no closing quote on its line";
  }

  std::string message_;
  SyntaxError error_;
  std::vector<std::string> lines_;
  std::optional<Opened> opened_;  // in the lines above
};

}  // namespace

SyntaxError explained(const std::string& text, const Position& where, std::string_view message) {
  return SyntaxErrorExplainer(text, where, message).explain();
}

}  // namespace penstock::pipeline
