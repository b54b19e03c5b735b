#include "pipeline/config/draft_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "pipeline/syntax/table_reader.h"

namespace penstock::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* forms = "an input is \"stage.output\", \"file:PATH\", a table with `file`, or a list of these";

class InputReader {
 public:
  InputReader(const StageTable& kinds, Diagnostics& diagnostics) : kinds_(kinds), diagnostics_(diagnostics) {}

  DraftInput read(const Member& member) {
    DraftInput input{member.key, member.position, {}};
    if (member.tree.elements.empty()) {
      read_source(member.tree, input);
    } else {
      for (const Tree& element : member.tree.elements) read_source(element, input);
    }
    return input;
  }

 private:
  void read_source(const Tree& tree, DraftInput& input) {
    DraftSource source;
    source.declared.position = tree.position;
    const bool read = tree.is_table            ? read_table(tree, source)
                      : tree.value.is_string() ? read_text(tree, source)
                                               : refused(tree);
    if (!read) return;
    for (const DraftSource& other : input.sources) {
      if (!same(other, source)) continue;
      diagnostics_.error("E107", tree.position, fmt::format("input '{}' takes the same source twice", input.port),
                         {{other.declared.position, "the first is here"}});
    }
    input.sources.push_back(std::move(source));
  }

  bool refused(const Tree& tree) {
    diagnostics_.error(
        "E103", tree.position,
        fmt::format("{}, and not {}", forms,
                    tree.value.is_array() && tree.value.empty() ? "an empty list" : as_read(tree.value)));
    return false;
  }

  bool read_table(const Tree& tree, DraftSource& source) {
    const TableReader reader(tree, source_keys(), diagnostics_);
    reader.refuse_unknown_keys();
    const bool complete = reader.requires_its_keys(tree.position);
    const auto file = reader.text("file");
    source.declared.sha256 = read_pin(reader);
    source.declared.origin = reader.text("source").value_or("");
    if (!complete || !file) return false;
    source.declared.external = folder_of(tree) / *file;
    return true;
  }

  // Lower case, as digests are written.
  std::string read_pin(const TableReader& reader) {
    std::string pin = reader.text("sha256").value_or("");
    const bool hex = std::all_of(pin.begin(), pin.end(), [](unsigned char c) { return std::isxdigit(c); });
    if (reader.given("sha256") != nullptr && reader.given("sha256")->tree.value.is_string() &&
        (pin.size() != 64 || !hex)) {
      diagnostics_.error(
          "E103", reader.given("sha256")->tree.position,
          fmt::format("a sha256 pin is 64 hex digits, {}; write what `sha256sum FILE` prints before the file's name",
                      hex ? fmt::format("this has {}", pin.size()) : "and nothing else"));
    }
    std::transform(pin.begin(), pin.end(), pin.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return pin;
  }

  bool read_text(const Tree& tree, DraftSource& source) {
    const std::string text = tree.value.get<std::string>();
    if (text.starts_with("file:")) {
      source.declared.external = folder_of(tree) / text.substr(5);
      if (text.size() > 5) return true;
      diagnostics_.error("E103", tree.position, "\"file:\" is followed by the path of a file or folder");
      return false;
    }
    if (text.find('/') == std::string::npos && split_reference(text, tree.position, source)) return true;
    diagnostics_.error("E103", tree.position, fmt::format("'{}' is not an input; {}", text, meant_by(text)));
    return false;
  }

  std::string meant_by(const std::string& text) const {
    if (text.find('/') != std::string::npos) return fmt::format("a file or folder is written \"file:{}\"", text);
    const StageKind* kind = find_kind(kinds_, text);
    if (kind != nullptr && !kind->outputs.empty())
      return fmt::format("name an output of that stage, as in \"{}.{}\"", text, kind->outputs.front().name);
    if (text.find('[') != std::string::npos)
      return "all runs of a matrix are gathered by \"stage.output[*]\", those along one axis by "
             "\"stage.output[stage.parameter]\"";
    return "write \"stage.output\" or \"file:PATH\"";
  }

  // "eval.metrics[*]" -> stage, port, fan.
  static bool split_reference(const std::string& text, const Position& place, DraftSource& source) {
    const size_t open = text.find('[');
    const std::string plain = text.substr(0, open);
    const size_t dot = plain.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == plain.size() ||
        plain.find('.', dot + 1) != std::string::npos)
      return false;
    source.stage = plain.substr(0, dot);
    source.declared.port = plain.substr(dot + 1);
    if (open == std::string::npos) return true;
    if (text.back() != ']' || text.size() - open < 3) return false;
    source.fan = text.substr(open + 1, text.size() - open - 2);
    source.fan_position = place;
    source.fan_position.column += static_cast<int>(open) + 2;  // behind the quote
    source.fan_position.length = static_cast<int>(source.fan.size());
    return true;
  }

  static bool same(const DraftSource& a, const DraftSource& b) {
    return a.stage == b.stage && a.fan == b.fan && a.declared.port == b.declared.port &&
           a.declared.external == b.declared.external;
  }

  static fs::path folder_of(const Tree& tree) { return fs::path(tree.position.file).parent_path(); }

  const StageTable& kinds_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<DraftInput> read_inputs(const Tree& table, const StageTable& kinds, Diagnostics& diagnostics) {
  std::vector<DraftInput> inputs;
  for (const Member& member : table.members) inputs.push_back(InputReader(kinds, diagnostics).read(member));
  return inputs;
}

}  // namespace penstock::pipeline
