// Problems of a configuration, collected and reported together in the shape of a compiler's messages. One thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/error.h"
#include "pipeline/position.h"

namespace penstock::pipeline {

// Another place that is involved in a problem.
struct Note {
  Position position;
  std::string text;
};

struct Diagnostic {
  std::string code;  // "E203": one of rules(), see error_index.h
  Position position;
  std::string sentence;
  std::vector<Note> notes;
};

// Every problem of a configuration. what() holds them all as text.
class __attribute__((visibility("default"))) ConfigError : public Error {
 public:
  ConfigError(const std::string& text, std::vector<Diagnostic> found)
      : Error(ExitCode::config, text), found_(std::move(found)) {}
  const std::vector<Diagnostic>& found() const { return found_; }

 private:
  std::vector<Diagnostic> found_;
};

class Diagnostics {
 public:
  // The text of a file that positions point into, for the source lines under each message.
  void add_source(const std::string& file, const std::string& text);

  // The letters at `position` are underlined, and so are those of each note.
  void error(std::string_view code, const Position& position, const std::string& sentence,
             const std::vector<Note>& notes = {});

  bool empty() const { return found_.empty(); }
  size_t count() const { return found_.size(); }
  // Throws ConfigError with every problem in order of place: what has no line (flags, environment), then file by file
  // as they were added. Does nothing when there is none.
  void throw_if_any() const;

 private:
  std::string text_of(const Diagnostic& problem) const;
  std::string shown(const Position& position) const;
  int place_of(const Position& position) const;

  std::map<std::string, std::vector<std::string>> sources_;  // lines
  std::vector<std::string> files_;                           // in the order they were added
  std::vector<Diagnostic> found_;
};

}  // namespace penstock::pipeline
