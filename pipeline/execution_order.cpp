// The stages of a configuration, each after what it takes and waits for.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "pipeline/draft.h"

namespace penstock::pipeline {
namespace {

// Depth first; the way back to a stage that is still open is a circle.
class Sorter {
 public:
  Sorter(const Draft& draft, Diagnostics& diagnostics) : draft_(draft), diagnostics_(diagnostics), state_(draft.stages.size()) {}

  std::vector<int> sort() {
    for (size_t i = 0; i < draft_.stages.size(); ++i) visit(static_cast<int>(i));
    return order_;
  }

 private:
  enum class Mark { unseen, open, done };

  void visit(int index) {
    const DraftStage& stage = draft_.stages[index];
    if (state_[index] == Mark::done) return;
    path_.push_back(stage.name());
    if (state_[index] == Mark::open) {
      const auto start = std::find(path_.begin(), path_.end(), stage.name());
      diagnostics_.error("E304", stage.position(), fmt::format("stages need each other in a circle: {}", fmt::join(start, path_.end(), " -> ")),
                         stage.name().size());
    } else {
      state_[index] = Mark::open;
      for (const std::string& name : stage.upstreams()) {
        const DraftStage* upstream = draft_.find(name);
        if (upstream != nullptr) visit(static_cast<int>(upstream - draft_.stages.data()));
      }
      state_[index] = Mark::done;
      order_.push_back(index);
    }
    path_.pop_back();
  }

  const Draft& draft_;
  Diagnostics& diagnostics_;
  std::vector<Mark> state_;
  std::vector<std::string> path_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> execution_order(const Draft& draft, Diagnostics& diagnostics) { return Sorter(draft, diagnostics).sort(); }

}  // namespace penstock::pipeline
