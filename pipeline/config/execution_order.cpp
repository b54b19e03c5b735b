#include "pipeline/config/execution_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace penstock::pipeline {
namespace {

// Depth first; the way back to a stage that is still open is a circle.
class Sorter {
 public:
  Sorter(const Draft& draft, Diagnostics& diagnostics)
      : draft_(draft), diagnostics_(diagnostics), state_(draft.stages.size()) {}

  std::vector<int> sort() {
    for (size_t i = 0; i < draft_.stages.size(); ++i) visit(static_cast<int>(i));
    return order_;
  }

 private:
  enum class Mark { unseen, open, done };

  // Why one stage comes after another.
  struct Arrow {
    std::string stage;
    Position place;
    std::string reason;
  };

  static std::vector<Arrow> arrows_of(const DraftStage& stage) {
    std::vector<Arrow> arrows;
    for (const DraftInput& input : stage.inputs) {
      for (const DraftSource& source : input.sources) {
        if (source.stage.empty()) continue;
        arrows.push_back({source.stage, source.declared.position,
                          fmt::format("'{}' takes {}.{}", stage.name(), source.stage, source.declared.port)});
      }
    }
    for (const auto& [need, place] : stage.needs)
      arrows.push_back({need, place, fmt::format("'{}' needs '{}'", stage.name(), need)});
    return arrows;
  }

  void visit(int index) {
    if (state_[index] == Mark::done) return;
    const DraftStage& stage = draft_.stages[index];
    state_[index] = Mark::open;
    for (Arrow& arrow : arrows_of(stage)) {
      const DraftStage* upstream = draft_.find(arrow.stage);
      if (upstream == nullptr) continue;
      const int next = static_cast<int>(upstream - draft_.stages.data());
      path_.push_back({&stage, std::move(arrow)});
      if (state_[next] == Mark::open) {
        if (reported_.emplace(index, next).second) report(next);
      } else {
        visit(next);
      }
      path_.pop_back();
    }
    state_[index] = Mark::done;
    order_.push_back(index);
  }

  // The end of the path leads back to this stage.
  void report(int index) {
    const DraftStage& stage = draft_.stages[index];
    const auto start = std::find_if(path_.begin(), path_.end(), [&](const Step& step) { return step.from == &stage; });
    std::string circle;
    std::vector<Note> notes;
    for (auto step = start; step != path_.end(); ++step) {
      circle += step->from->name() + " -> ";
      notes.push_back({step->arrow.place, step->arrow.reason});
    }
    const std::string sentence =
        path_.end() - start == 1 ? "a stage needs itself: " : "stages need each other in a cycle: ";
    diagnostics_.error("E304", stage.position(), sentence + circle + stage.name(), notes);
  }

  struct Step {
    const DraftStage* from;
    Arrow arrow;
  };

  const Draft& draft_;
  Diagnostics& diagnostics_;
  std::vector<Mark> state_;
  std::vector<Step> path_;  // from the first stage looked at to the one being looked at
  std::set<std::pair<int, int>> reported_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics) {
  return Sorter(draft, diagnostics).sort();
}

}  // namespace penstock::pipeline
