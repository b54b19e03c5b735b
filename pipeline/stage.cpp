#include "pipeline/stage.h"

#include <algorithm>

#include "distributed/check.h"

namespace penstock::pipeline {
namespace {

class FunctionBody final : public StageBody {
 public:
  explicit FunctionBody(std::function<void(StageContext&)> run) : run_(std::move(run)) {}
  void run(StageContext& context) override { run_(context); }

 private:
  std::function<void(StageContext&)> run_;
};

}  // namespace

const std::filesystem::path& StageContext::input(const std::string& port) const {
  const auto found = inputs.find(port);
  PENSTOCK_CHECK(found != inputs.end() && found->second.size() == 1,
                 "an input whose path a body reads has exactly one source; '" + port + "' has " +
                     std::to_string(found == inputs.end() ? 0 : found->second.size()));
  return found->second.front().path;
}

const std::filesystem::path& StageContext::output(const std::string& port) const {
  const auto found = outputs.find(port);
  PENSTOCK_CHECK(found != outputs.end(),
                 "a body writes only to ports that its kind declares; '" + port + "' is not one");
  return found->second;
}

void StageBody::run(StageContext&) { PENSTOCK_CHECK(false, "a body of scope rank0 or all_ranks has a run()"); }

std::unique_ptr<SharedWork> StageBody::share(StageContext&) {
  PENSTOCK_CHECK(false, "a body of scope shared has a share()");
}

const Port* find_port(const std::vector<Port>& ports, std::string_view name) {
  const auto found = std::find_if(ports.begin(), ports.end(), [name](const Port& port) { return port.name == name; });
  return found == ports.end() ? nullptr : &*found;
}

const StageKind* find_kind(const StageTable& table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [name](const StageKind& kind) { return kind.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::unique_ptr<StageBody> body_of(std::function<void(StageContext&)> run) {
  return std::make_unique<FunctionBody>(std::move(run));
}

}  // namespace penstock::pipeline
