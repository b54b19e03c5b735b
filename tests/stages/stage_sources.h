// What a stage kind is made of, as a digest that formatting and comments do not change.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "pipeline/digest.h"
#include "pipeline/files.h"

namespace penstock::stages {

// C++ without comments, and with white space only where two words would run together. Literals stay as they are.
inline std::string without_comments_and_space(const std::string& text) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::string out;
  bool space = false;
  const auto put = [&](const std::string& token) {
    if (space && !out.empty() && is_word(out.back()) && is_word(token.front())) out += ' ';
    space = false;
    out += token;
  };
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      i = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
      space = true;
    } else if (std::isspace(static_cast<unsigned char>(text[i]))) {
      space = true;
      ++i;
    } else if (text.compare(i, 2, "R\"") == 0 && (i == 0 || !is_word(text[i - 1]))) {
      const size_t open = text.find('(', i);
      const std::string close = ")" + text.substr(i + 2, open - i - 2) + "\"";
      const size_t end = std::min(text.find(close, open), text.size() - close.size()) + close.size();
      put(text.substr(i, end - i));
      i = end;
    } else if (text[i] == '"' ||
               (text[i] == '\'' && (i == 0 || !is_word(text[i - 1])))) {  // a quote after a digit parts thousands
      size_t end = i + 1;
      while (end < text.size() && text[end] != text[i]) end += text[end] == '\\' ? 2 : 1;
      put(text.substr(i, end + 1 - i));
      i = end + 1;
    } else {
      put(std::string(1, text[i++]));
    }
  }
  return out;
}

// Where a kind is declared: <kind>.cpp in stages/, or in the room of its name.
inline std::string declaration_of(const std::string& kind, const std::filesystem::path& root) {
  const std::string in_room = "stages/" + kind + "/" + kind + ".cpp";
  return std::filesystem::exists(root / in_room) ? in_room : "stages/" + kind + ".cpp";
}

// The kind's declaration, its body in compute/, and what these include below stages/: headers with the source of their
// name, and all of cuda/ with cuda_library.h; relative to `root`, the project's folder.
inline std::set<std::string> sources_of(const std::string& kind, const std::filesystem::path& root) {
  static const std::regex include("#\\s*include\\s*\"(stages/[^\"]+)\"");
  std::set<std::string> found;
  std::vector<std::string> open = {declaration_of(kind, root), "stages/compute/" + kind + "_body.cpp"};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!std::filesystem::exists(root / name) || !found.insert(name).second) continue;
    if (name.ends_with(".h")) open.push_back(name.substr(0, name.size() - 1) + "cpp");
    if (name == "stages/cuda_library.h") {
      for (const auto& entry : std::filesystem::directory_iterator(root / "stages/cuda"))
        open.push_back("stages/cuda/" + entry.path().filename().string());
    }
    const std::string text = pipeline::read_file(root / name);
    for (std::sregex_iterator match(text.begin(), text.end(), include), none; match != none; ++match)
      open.push_back((*match)[1]);
  }
  return found;
}

inline pipeline::Digest digest_of_sources(const std::string& kind, const std::filesystem::path& root) {
  pipeline::Hasher hasher;
  for (const std::string& name : sources_of(kind, root))
    hasher.field(name).field(without_comments_and_space(pipeline::read_file(root / name)));
  return hasher.finish();
}

}  // namespace penstock::stages
